#include "kernels/cuda/algorithms.h"

#include "kernels/cuda/product_choices.h"
#include "kernels/cuda/runtime.h"
#include "kernels/error.h"

namespace temper::cuda {

ProductKey key_of(const Product& p) {
    return {p.a.dtype,    p.d.dtype,       p.a_transposed, p.b_transposed,
            !p.c.empty(), !p.bias.empty(), p.d.size(1),    p.chosen_depth >= 0 ? p.chosen_depth : p.b.size(p.b_transposed ? 1 : 0)};
}

namespace {

// What a rehearsed product leaves behind: the ops around it shall not read memory that nobody wrote.
void leave_zeros(Stream& stream, const View& d) {
    const auto row_bytes = static_cast<std::size_t>(d.size(1) * size_of(d.dtype)),
               stride = static_cast<std::size_t>(d.row_stride() * size_of(d.dtype));
    for (std::size_t row = 0; row < static_cast<std::size_t>(d.size(0)); ++row)
        stream.cuda().fill_zero(static_cast<char*>(d.data) + row * stride, row_bytes);
}

}  // namespace

const AlgorithmTable::Algorithm* ProductChoices::find(Stream& stream, const Product& product) {
    const ProductKey key = key_of(product);
    if (noted_ != nullptr) {
        noted_->insert(key);
        leave_zeros(stream, product.d);
        return nullptr;
    }
    if (const AlgorithmTable::Algorithm* const found = table_.find(key)) return found;
    if (is_complete_)
        throw_error(ExitCode::internal, "multiply: {} = {}{} {}{} was not rehearsed, {} products were", product.d.describe(), product.a.describe(),
                    product.a_transposed ? "^T" : "", product.b.describe(), product.b_transposed ? "^T" : "", table_.size());
    stream.cuda().spill();  // a choice is made by running
    table_.keep(key, choose_algorithm(stream, key));
    return table_.find(key);
}

void ProductChoices::follow(AlgorithmTable table) {
    table_ = std::move(table);
    is_complete_ = true;
}

std::set<ProductKey> ProductChoices::rehearse(const std::function<void()>& work) {
    struct Noting {
        ProductChoices& choices;
        ~Noting() { choices.noted_ = nullptr; }
    };
    std::set<ProductKey> noted;
    const Noting end{*this};
    noted_ = &noted;
    work();
    return noted;
}

std::vector<ProductKey> rehearse_products(Stream& stream, const std::function<void()>& work) {
    const std::set<ProductKey> noted = choices_of(stream).rehearse(work);
    stream.synchronize();
    return {noted.begin(), noted.end()};
}

AlgorithmTable empty_table(Stream& stream) {
    const AlgorithmTable& table = choices_of(stream).table();
    return {table.library(), table.device()};
}

void follow_algorithms(Stream& stream, AlgorithmTable table) { choices_of(stream).follow(std::move(table)); }

}  // namespace temper::cuda
