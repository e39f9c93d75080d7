// Global, Shared and Pack of device.h: every access is held against bounds, alignment and, with full checks, the accesses of other threads.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/cuda/emulation/access.h"
#include "kernels/cuda/emulation/block.h"
#include "kernels/cuda/emulation/copy_async.h"
#include "kernels/cuda/emulation/registry.h"
#include "kernels/tensor.h"

namespace temper::cuda {

namespace emulation {

[[noreturn]] void fail_bounds(const char* memory, std::int64_t index, std::int64_t elements, std::int64_t count);
[[noreturn]] void fail_alignment(const char* memory, std::int64_t index, std::size_t bytes);
// Error where the block has no such shared memory.
void check_shared_range(int byte_offset, int count, std::size_t size);

// What stands for an element that can be written: it reads and writes through Memory, a Global or a Shared.
template <class Memory, class T> class Element {
  public:
    Element(const Memory& memory, std::int64_t index) : memory_(memory), index_(index) {}
    Element(const Element&) = default;
    operator T() const { return *memory_.read(index_, 1); }
    const Element& operator=(T value) const {
        *memory_.write(index_, 1) = value;
        return *this;
    }
    const Element& operator=(const Element& other) const { return *this = static_cast<T>(other); }
    const Element& operator+=(T value) const { return *this = static_cast<T>(static_cast<T>(*this) + value); }
    const Element& operator-=(T value) const { return *this = static_cast<T>(static_cast<T>(*this) - value); }
    const Element& operator*=(T value) const { return *this = static_cast<T>(static_cast<T>(*this) * value); }

  private:
    Memory memory_;
    std::int64_t index_;
};

}  // namespace emulation

// Device memory that a kernel was given: an offset moves the index, never the bounds.
template <class T> class Global {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % emulation::kUnit == 0, "traces stand for two bytes");

  public:
    Global() = default;
    Global(T* first, std::int64_t count) : first_(first), count_(count) {
        if (first == nullptr || count == 0) return;
        emulation::check_reachable("Global", first, static_cast<std::size_t>(count) * sizeof(T));
        traces_ = emulation::traces_of(first);
    }
    template <class U> Global(const Global<U>& other) : first_(other.first_), count_(other.count_), offset_(other.offset_), traces_(other.traces_) {}
    bool empty() const { return first_ == nullptr; }
    Global operator+(std::int64_t offset) const {
        Global moved = *this;
        moved.offset_ += offset;
        return moved;
    }
    decltype(auto) operator[](std::int64_t index) const {
        if constexpr (std::is_const_v<T>) return std::remove_const_t<T>(*read(index, 1));
        else return emulation::Element<Global, T>(*this, index);
    }

    // ---- of the emulation alone: neighbouring elements, checked
    T* read(std::int64_t index, int elements) const { return checked<false>(index, elements); }
    T* write(std::int64_t index, int elements) const { return checked<true>(index, elements); }

  private:
    template <class U> friend class Global;
    template <bool Writes> T* checked(std::int64_t index, int elements) const {
        const std::int64_t i = offset_ + index;
        if (i < 0 || i > count_ - elements) emulation::fail_bounds("global", i, elements, count_);
        T* const address = first_ + i;
        const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(elements);
        if (elements > 1 && reinterpret_cast<std::uintptr_t>(address) % bytes != 0) emulation::fail_alignment("global", i, bytes);
        if (traces_ != nullptr) {
            const std::int64_t at = i * static_cast<std::int64_t>(sizeof(T));
            emulation::Trace* const traces = traces_ + static_cast<std::size_t>(at) / emulation::kUnit;
            Writes ? emulation::note_global_write(traces, at, bytes) : emulation::note_global_read(traces, at, bytes);
        }
        return address;
    }

    T* first_ = nullptr;
    std::int64_t count_ = 0, offset_ = 0;
    emulation::Trace* traces_ = nullptr;  // null where nothing is traced
};

template <class T> class Shared {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % emulation::kUnit == 0, "traces stand for two bytes");

  public:
    Shared(int byte_offset, int count) : byte_offset_(byte_offset), count_(count) { emulation::check_shared_range(byte_offset, count, sizeof(T)); }
    Shared operator+(int offset) const {
        Shared moved = *this;
        moved.offset_ += offset;
        return moved;
    }
    emulation::Element<Shared, T> operator[](int index) const { return {*this, index}; }

    // ---- of the emulation alone: neighbouring elements, checked
    T* read(std::int64_t index, int elements) const {
        T* const address = checked(index, elements);
        if (emulation::running().is_checked()) emulation::note_shared_read(traces(index), at(index), sizeof(T) * static_cast<std::size_t>(elements));
        return address;
    }
    T* write(std::int64_t index, int elements) const {
        T* const address = checked(index, elements);
        if (emulation::running().is_checked()) emulation::note_shared_write(traces(index), at(index), sizeof(T) * static_cast<std::size_t>(elements));
        return address;
    }
    void copy_async(std::int64_t index, int elements, const void* from) const {
        auto* const to = reinterpret_cast<unsigned char*>(checked(index, elements));
        emulation::Trace* const traced = emulation::running().is_checked() ? traces(index) : nullptr;
        if (traced != nullptr) emulation::note_copy_begin(traced, at(index), sizeof(T) * static_cast<std::size_t>(elements));
        emulation::begin_copy(to, traced, from);
    }

  private:
    std::int64_t at(std::int64_t index) const { return byte_offset_ + (offset_ + index) * static_cast<std::int64_t>(sizeof(T)); }
    emulation::Trace* traces(std::int64_t index) const { return emulation::shared_traces(at(index)); }
    T* checked(std::int64_t index, int elements) const {
        const std::int64_t i = offset_ + index;
        if (i < 0 || i > count_ - elements) emulation::fail_bounds("shared", i, elements, count_);
        const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(elements);
        if (elements > 1 && static_cast<std::size_t>(at(index)) % bytes != 0) emulation::fail_alignment("shared", i, bytes);
        return reinterpret_cast<T*>(emulation::running().shared_memory() + at(index));
    }

    int byte_offset_, count_;
    std::int64_t offset_ = 0;
};
template <class T> Shared<T> shared(int byte_offset, int count) { return {byte_offset, count}; }

template <class T, int N> struct alignas(sizeof(T) * N) Pack {
    static_assert(sizeof(T) * N <= 16, "one access");
    T value[N];
    T& operator[](int i) { return value[i]; }
    const T& operator[](int i) const { return value[i]; }
};

namespace emulation {
template <int N, class T, class U> Pack<T, N> pack_of(const U* from) {
    Pack<T, N> pack;
    std::memcpy(&pack, from, sizeof(pack));
    return pack;
}
}  // namespace emulation

template <int N, class T> Pack<T, N> load_pack(Global<const T> from, std::int64_t index) { return emulation::pack_of<N, T>(from.read(index, N)); }
template <int N, class T> void store_pack(Global<T> to, std::int64_t index, const Pack<T, N>& pack) {
    std::memcpy(to.write(index, N), &pack, sizeof(pack));
}
template <int N, class T> Pack<T, N> load_pack(Shared<T> from, int index) { return emulation::pack_of<N, T>(from.read(index, N)); }
template <int N, class T> void store_pack(Shared<T> to, int index, const Pack<T, N>& pack) { std::memcpy(to.write(index, N), &pack, sizeof(pack)); }

template <class T, class U> void copy_async16(Shared<T> to, int index, Global<U> from, std::int64_t from_index, bool valid) {
    static_assert(sizeof(T) == sizeof(U) && 16 % sizeof(T) == 0, "bytes go over as they are");
    constexpr int kElements = 16 / sizeof(T);
    to.copy_async(index, kElements, valid ? from.read(from_index, kElements) : nullptr);
}
inline void copy_async_commit() { ++emulation::running().self().copies->groups; }
template <int N> void copy_async_wait() { emulation::running().self().copies->wait(N); }

}  // namespace temper::cuda
