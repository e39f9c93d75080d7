#include "kernels/staged.h"

#include <cstring>

#include "kernels/cuda/runtime.h"

namespace temper {
namespace {

std::size_t bytes_of(const View& view) { return static_cast<std::size_t>(view.elements() * size_of(view.dtype)); }

}  // namespace

void send(Stream& stream, const Staged& numbers) {
    if (numbers.host.data != numbers.device.data) stream.cuda().copy_in(numbers.device.data, numbers.host.data, bytes_of(numbers.host));
}

void fetch(Stream& stream, const Staged& numbers) {
    if (numbers.host.data != numbers.device.data) stream.cuda().copy_out(numbers.host.data, numbers.device.data, bytes_of(numbers.host));
}

StagedArena StagedArena::allocated() const {
    StagedArena arena(there_ ? Device::cuda : Device::cpu);
    arena.device_ = Arena(device_.used(), memory_of(there_ ? Device::cuda : Device::cpu));
    if (there_) arena.host_ = Arena(host_.used(), Memory::pinned);
    return arena;
}

// A matrix's rows lie side by side then, without padding.
Staged StagedArena::take_staged(DType dtype, std::initializer_list<std::int64_t> shape) {
    const std::int64_t elements = View(nullptr, dtype, shape).elements();
    const auto taken = [&](Arena& arena) {
        const View flat = arena.take(dtype, {elements});
        return flat.empty() ? View(nullptr, dtype, shape) : flat.reshape(shape);
    };
    const View device = taken(device_);
    return {there_ ? taken(host_) : device, device};
}

Staged StagedArena::take_twin(const Staged& numbers) {
    if (!there_) return numbers;
    View host = host_.take(numbers.device.dtype, {numbers.device.elements()});
    if (host.empty()) return {numbers.device, numbers.device};
    View shaped = numbers.device;
    shaped.data = host.data;
    shaped.device = Device::cpu;
    return {shaped, numbers.device};
}

FlatArray::FlatArray(Stream& stream, std::int64_t size) : arena_(static_cast<std::size_t>(size) * sizeof(float), memory_of(stream.device())) {
    view_ = arena_.take(DType::f32, {size});
    if (stream.device() == Device::cuda) stream.cuda().fill_zero(view_.data, bytes_of(view_));
    else std::memset(view_.data, 0, bytes_of(view_));
}

void FlatArray::set(Stream& stream, Span<const float> values) {
    if (static_cast<std::int64_t>(values.size()) != size())
        throw_error(ExitCode::internal, "FlatArray: {} numbers, expected {}", values.size(), size());
    if (values.empty()) return;
    if (stream.device() == Device::cuda) stream.cuda().copy_in(view_.data, values.data(), bytes_of(view_));
    else std::memcpy(view_.data, values.data(), bytes_of(view_));
}

void FlatArray::set(Stream& stream, View values) {
    if (values.rank != 1 || values.size(0) != size() || values.dtype != DType::f32)
        throw_error(ExitCode::internal, "FlatArray: {}, expected {} numbers of float32", values.describe(), size());
    if (stream.device() == Device::cuda) stream.cuda().copy_across(view_.data, values.data, bytes_of(view_));
    else std::memcpy(view_.data, values.data, bytes_of(view_));
}

std::vector<float> FlatArray::values(Stream& stream) const {
    std::vector<float> numbers(static_cast<std::size_t>(size()));
    if (numbers.empty()) return numbers;
    if (stream.device() == Device::cuda) {
        stream.cuda().copy_out(numbers.data(), view_.data, bytes_of(view_));
        stream.synchronize();
    } else {
        std::memcpy(numbers.data(), view_.data, bytes_of(view_));
    }
    return numbers;
}

}  // namespace temper
