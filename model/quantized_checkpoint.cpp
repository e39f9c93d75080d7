#include "model/quantized_checkpoint.h"

#include "io/tensors/tensor_decode.h"
#include "model/quantized_weights.h"

namespace temper {

std::vector<std::string> QuantizedCheckpoint::names() const {
    std::vector<std::string> names;
    for (const std::string& name : base_->names())
        if (!is_part(name)) names.push_back(name);
    return names;
}

QuantFormat QuantizedCheckpoint::kept_as(const std::string& name) const {
    const QuantFormat* const format = format_of(name);
    return format != nullptr ? *format : plain_format(base_->find(name));
}

void QuantizedCheckpoint::read(const std::string& name, View destination) const {
    if (format_of(name) == nullptr) return base_->read(name, destination);
    check_destination(describe(), *find(name), destination);
    QuantMatrix quantized;
    read_quantized(name, quantized);
    dequantize(destination, quantized.view);
}

void QuantizedCheckpoint::read_quantized(const std::string& name, QuantMatrix& to) const {
    to = QuantMatrix();
    const TensorInfo& info = *find(name);
    to.view.format = kept_as(name);
    to.view.out = info.shape[0];
    to.view.in = info.shape[1];
    to.data = base_->read_bytes(name, static_cast<std::uint64_t>(to.view.data_bytes()));
    if (format_of(name) != nullptr) read_scales(name, to);
    to.point_view();
}

void QuantizedCheckpoint::fail(const std::string& name, const std::string& what) const {
    throw_error(ExitCode::bad_data, "{}: {}: {}", describe(), name, what);
}

std::string QuantizedCheckpoint::before_end(const std::string& name, std::string_view end) {
    return name.size() > end.size() && name.ends_with(end) ? name.substr(0, name.size() - end.size()) : std::string();
}

}  // namespace temper
