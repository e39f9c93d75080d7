// What a linear does to rows of its output while they are still in the cache.
#include "kernels/cpu/encoder_rows.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/rows.h"

namespace temper::cpu {
namespace {

template <class T> void rope_rows(const RowKernels<T>& kernels, View y, const Epilogue& e, Range rows) {
    const std::int32_t* const positions = e.positions.as<std::int32_t>();
    for (std::int64_t row = rows.begin; row < rows.end; ++row)
        kernels.rope(y.row<T>(row), e.rope_table.cosine.row<float>(positions[row]), e.rope_table.sine.row<float>(positions[row]), e.rotated_heads,
                     e.head_size, e.rope_table.cosine.size(1), 1.0f);
}

template <class T> void finish(Isa isa, View y, const Epilogue& e, Range rows) {
    const RowKernels<T>& kernels = row_kernels<T>(isa);
    switch (e.kind) {
        case Epilogue::Kind::none: return;
        case Epilogue::Kind::rope: return rope_rows<T>(kernels, y, e, rows);
        case Epilogue::Kind::swiglu:
        case Epilogue::Kind::geglu: {
            const std::int64_t width = e.activated.size(-1);
            const auto glu = e.kind == Epilogue::Kind::swiglu ? kernels.swiglu : kernels.geglu;
            for (std::int64_t row = rows.begin; row < rows.end; ++row) glu(e.activated.row<T>(row), y.row<T>(row), y.row<T>(row) + width, width);
            return;
        }
        case Epilogue::Kind::pointwise: {
            const auto function = encoder_rows<T>(isa).pointwise[static_cast<std::size_t>(e.function)];
            for (std::int64_t row = rows.begin; row < rows.end; ++row) function(y.row<T>(row), y.size(-1));
            return;
        }
        case Epilogue::Kind::residual:
            if (e.normed.empty()) return;
            if (!e.norm_bias.empty()) {
                const auto norm = encoder_rows<T>(isa).layer_norm;
                for (std::int64_t row = rows.begin; row < rows.end; ++row)
                    norm(e.normed.row<T>(row), y.row<T>(row), e.norm_weight.as<float>(), e.norm_bias.as<float>(), nullptr, y.size(-1),
                         e.norm_epsilon);
                return;
            }
            for (std::int64_t row = rows.begin; row < rows.end; ++row)
                kernels.rms_norm(e.normed.row<T>(row), y.row<T>(row), e.norm_weight.as<float>(), nullptr, y.size(-1), e.norm_epsilon);
            return;
    }
}

}  // namespace

void finish_rows(Isa isa, View y, const Epilogue& epilogue, Range rows) {
    if (y.dtype == DType::f32) finish<float>(isa, y, epilogue, rows);
    else finish<bf16>(isa, y, epilogue, rows);
}

}  // namespace temper::cpu
