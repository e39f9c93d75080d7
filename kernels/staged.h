// Numbers that the host and a stream's device share. On the CPU both sides are one memory, and nothing is copied.
#pragma once
#include <vector>

#include "kernels/span.h"
#include "kernels/stream.h"

namespace temper {

// The same contiguous numbers seen by both sides. What one side wrote the other sees after send or fetch; fetch's are there after
// Stream::synchronize.
struct Staged {
    View host, device;

    Staged rows(std::int64_t begin, std::int64_t count) const { return {host.rows(begin, count), device.rows(begin, count)}; }
};
void send(Stream& stream, const Staged& numbers);
void fetch(Stream& stream, const Staged& numbers);

// An arena of a device, and one of pinned host memory for what both sides see. Two-phase as Arena: a first one counts, allocated() has the memory.
class StagedArena {
  public:
    explicit StagedArena(Device device) : there_(device != Device::cpu) {}
    StagedArena allocated() const;  // for what this one counted

    View take(DType dtype, std::initializer_list<std::int64_t> shape) { return device_.take(dtype, shape); }
    Staged take_staged(DType dtype, std::initializer_list<std::int64_t> shape);
    // The same numbers of the device with host memory of their own, to be written while the first one's are on their way; on the CPU the same.
    Staged take_twin(const Staged& numbers);
    std::size_t used() const { return device_.used(); }  // on the device
    std::size_t pinned() const { return host_.used(); }  // beside it on the host

  private:
    bool there_;  // the device is not the host
    Arena device_, host_;
};

// A vector of float32 on a stream's device, zeros at first.
class FlatArray {
  public:
    FlatArray() = default;
    FlatArray(Stream& stream, std::int64_t size);

    std::int64_t size() const { return view_.rank == 0 ? 0 : view_.size(0); }
    View view() const { return view_; }
    void set(Stream& stream, Span<const float> values);
    void set(Stream& stream, View values);            // of the same device
    std::vector<float> values(Stream& stream) const;  // waits for all ops so far

  private:
    Arena arena_;
    View view_;
};

}  // namespace temper
