// std::span for headers that C++17 (.cu files) sees as well: a pointer and a length.
#pragma once
#include <cstddef>

namespace temper {

template <class T> class Span {
  public:
    Span() = default;
    Span(T* data, std::size_t size) : data_(data), size_(size) {}
    template <class Container> Span(Container& items) : data_(items.data()), size_(items.size()) {}
    T* begin() const { return data_; }
    T* end() const { return data_ + size_; }
    T& operator[](std::size_t index) const { return data_[index]; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    T* data() const { return data_; }

  private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace temper
