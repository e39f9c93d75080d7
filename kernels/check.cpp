#include "kernels/check.h"

namespace temper::check {

std::string shape_text(const View& view) {
    std::string text = "(";
    for (int i = 0; i < view.rank; ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", view.size(i));
    return text + ")";
}

std::string Why::words() const {
    if (view != nullptr) return fmt::format("{} {}", text, shape_text(*view));
    return name != nullptr ? fmt::format("{} {}", text, name) : text;
}

namespace {

[[noreturn]] void wrong_shape(const char* op, const char* name, const View& view, const std::string& expected, const std::string& why) {
    throw_error(ExitCode::internal, "{}: {} has shape {}, expected {}{}{}", op, name, shape_text(view), expected, why.empty() ? "" : ", ", why);
}

}  // namespace

void shape(const char* op, const char* name, const View& view, std::initializer_list<std::int64_t> expected, const Why& why) {
    bool same = view.rank == static_cast<int>(expected.size());
    int i = 0;
    for (const std::int64_t size : expected) {
        if (!same) break;
        same = view.size(i++) == size;
    }
    if (!same) wrong_shape(op, name, view, shape_text(View(nullptr, view.dtype, expected)), why.words());
}

void rank(const char* op, const char* name, const View& view, int expected) {
    if (view.rank != expected)
        throw_error(ExitCode::internal, "{}: {} has shape {}, expected {} dimension{}", op, name, shape_text(view), expected,
                    expected == 1 ? "" : "s");
}

void dtype(const char* op, const char* name, const View& view, DType expected) {
    if (view.dtype != expected) throw_error(ExitCode::internal, "{}: {} is {}, expected {}", op, name, view.describe(), name_of(expected));
}

void floating(const char* op, const char* name, const View& view) {
    if (view.dtype != DType::f32 && view.dtype != DType::bf16)
        throw_error(ExitCode::internal, "{}: {} is {}, expected float32 or bfloat16", op, name, view.describe());
}

void rows_contiguous(const char* op, const char* name, const View& view) {
    if (view.data == nullptr && view.elements() > 0) throw_error(ExitCode::internal, "{}: {} {} has no memory", op, name, view.describe());
    std::int64_t step = 1;
    for (int i = view.rank - 1; i > 0; --i) {
        const auto at = static_cast<std::size_t>(i);
        if (view.stride[at] != step && view.shape[at] > 1)
            throw_error(ExitCode::internal, "{}: {} {} has stride {} in dimension {}, expected {}", op, name, view.describe(), view.stride[at], i,
                        step);
        step *= view.shape[at];
    }
    if (view.rank > 1 && view.stride[0] < step && view.shape[0] > 1)
        throw_error(ExitCode::internal, "{}: rows of {} {} overlap, {} apart", op, name, view.describe(), view.stride[0]);
}

void contiguous(const char* op, const char* name, const View& view) {
    rows_contiguous(op, name, view);
    if (view.rank > 1 && view.shape[0] > 1 && view.stride[0] * view.shape[0] != view.elements())
        throw_error(ExitCode::internal, "{}: {} {} has rows {} apart, expected them side by side", op, name, view.describe(), view.stride[0]);
}

void like(const char* op, const char* name, const View& view, const char* other_name, const View& other) {
    dtype(op, name, view, other.dtype);
    bool same = view.rank == other.rank;
    for (int i = 0; same && i < view.rank; ++i) same = view.size(i) == other.size(i);
    if (!same) wrong_shape(op, name, view, shape_text(other), fmt::format("the shape of {}", other_name));
    rows_contiguous(op, name, view);
}

}  // namespace temper::check
