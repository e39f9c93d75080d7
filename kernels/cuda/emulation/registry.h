// Device memory of the emulation: ranges of this process's memory, each traced as a whole. Every thread may ask.
#pragma once
#include <cstddef>

namespace temper::cuda::emulation {

struct Trace;

enum class Kind : unsigned char { device, pinned };

void* allocate_range(Kind kind, std::size_t bytes);
// Nothing for null. A pointer that allocate_range did not give, or gave for the other kind, is a fault that throw_fault reports.
void release_range(Kind kind, void* memory) noexcept;
void throw_fault();
std::size_t device_bytes_used();

// Error where no range holds them all; kernels reach pinned memory as well. The name is what the message begins with.
void check_reachable(const char* name, const void* first, std::size_t bytes);
void check_on_device(const char* name, const void* first, std::size_t bytes);
bool is_pinned(const void* first, std::size_t bytes);
// Traces of an address that is reachable; null where the checks are fast.
Trace* traces_of(const void* first);

}  // namespace temper::cuda::emulation
