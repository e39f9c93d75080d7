// What runtime.cpp and its twin of the emulation have given and not had back. Every thread may ask.
#pragma once
#include "kernels/cuda/runtime.h"

namespace temper::cuda {

enum class MemoryKind : unsigned char { device, pinned };

void note_given(MemoryKind kind, const void* memory, std::size_t bytes);
void note_back(const void* memory) noexcept;  // nothing for memory that was not noted

}  // namespace temper::cuda
