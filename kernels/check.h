// The checks that an op makes of its arguments, once, at its boundary. A message names the op, what it got, what it expected and why:
//   rms_norm: weight has shape (576), expected (896), the last dimension of x (2048, 896)
#pragma once
#include <initializer_list>
#include <string>

#include "kernels/tensor.h"

namespace temper::check {

std::string shape_text(const View& view);

// The source of the expected numbers, put into words only when they are wrong: "the last dimension of x (2048, 896)". May be empty.
struct Why {
    Why(const char* words = "") : text(words) {}
    Why(const char* words, const View& argument) : text(words), view(&argument) {}  // followed by the argument's shape
    Why(const char* words, const char* argument) : text(words), name(argument) {}   // followed by the argument's name
    std::string words() const;

    const char* text;
    const View* view = nullptr;
    const char* name = nullptr;
};

void shape(const char* op, const char* name, const View& view, std::initializer_list<std::int64_t> expected, const Why& why = {});
void rank(const char* op, const char* name, const View& view, int expected);
void dtype(const char* op, const char* name, const View& view, DType expected);
// f32 or bf16.
void floating(const char* op, const char* name, const View& view);
// Memory is there, and dimensions behind the first lie side by side; only rows may be strided.
void rows_contiguous(const char* op, const char* name, const View& view);
// rows_contiguous, and rows side by side as well.
void contiguous(const char* op, const char* name, const View& view);
// same shape and dtype as another argument, and rows_contiguous.
void like(const char* op, const char* name, const View& view, const char* other_name, const View& other);

}  // namespace temper::check
