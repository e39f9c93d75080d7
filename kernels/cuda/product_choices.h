// What the products of one stream follow. Internal to kernels/cuda.
#pragma once
#include <set>

#include "kernels/cuda/algorithms.h"
#include "kernels/cuda/gemm.h"

namespace temper::cuda {

ProductKey key_of(const Product& product);

class ProductChoices {
  public:
    explicit ProductChoices(AlgorithmTable table) : table_(std::move(table)) {}

    // Null in a rehearsal, where the product is only noted.
    const AlgorithmTable::Algorithm* find(Stream& stream, const Product& product);

    const AlgorithmTable& table() const { return table_; }
    void follow(AlgorithmTable table);
    std::set<ProductKey> rehearse(const std::function<void()>& work);

  private:
    AlgorithmTable table_;
    bool is_complete_ = false;               // nothing may be added to the table
    std::set<ProductKey>* noted_ = nullptr;  // in a rehearsal
};

// Of a stream; gemm_cublas.cpp and its twin keep them, in Context::products().
ProductChoices& choices_of(Stream& stream);

}  // namespace temper::cuda
