// Checkpoints that bitsandbytes quantised to 4 bits, as transformers saves them.                           [bitsandbytes 0.50: QuantState.as_dict]
#include <cmath>
#include <cstring>
#include <map>

#include "io/jsonl.h"
#include "io/tensors/tensor_decode.h"
#include "kernels/nf4.h"
#include "model/quantized_checkpoint.h"
#include "model/quantized_weights.h"

namespace temper {
namespace {

const std::string state_end = ".quant_state.bitsandbytes__nf4";

struct Entry {
    TensorInfo info;
    QuantFormat format;
    float offset = 0.0f;
};

class BitsAndBytesWeights : public QuantizedCheckpoint {
  public:
    explicit BitsAndBytesWeights(std::unique_ptr<TensorSource> weights) : QuantizedCheckpoint(std::move(weights)) {
        for (const std::string& name : base().names()) {
            if (name.find(".quant_state.bitsandbytes__fp4") != std::string::npos)
                throw_error(ExitCode::bad_data, "{}: {}: 4-bit weights of type fp4, expected nf4; quantise the model with bnb_4bit_quant_type nf4",
                            describe(), name);
            if (const std::string weight = before_end(name, state_end); !weight.empty()) add(weight);
        }
    }
    const TensorInfo* find(const std::string& name) const override {
        const auto found = entries_.find(name);
        return found == entries_.end() ? base().find(name) : &found->second.info;
    }

  private:
    const QuantFormat* format_of(const std::string& name) const override {
        const auto found = entries_.find(name);
        return found == entries_.end() ? nullptr : &found->second.format;
    }
    void read_scales(const std::string& name, QuantMatrix& to) const override { read_absmax(entries_.at(name), to); }

    bool is_part(const std::string& name) const override {
        for (const char* end : {".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", state_end.c_str()})
            if (entries_.contains(before_end(name, end))) return true;
        return false;
    }

    void add(const std::string& name) {
        const std::vector<std::uint8_t> bytes = base().read_bytes(name + state_end, 1 << 16);
        const std::string place = describe() + ": " + name + state_end;
        const Json state = parse_json(std::string(bytes.begin(), bytes.end()), place);
        if (!state.is_object()) fail(name + state_end, "expected an object");
        Entry entry;
        entry.format.block_size = power_of_two(state, name, "blocksize");
        if (!state.contains("shape") || !state["shape"].is_array() || state["shape"].size() != 2)
            fail(name + state_end, "expected a shape of two numbers");
        std::int64_t elements = 1;
        for (const Json& size : state["shape"]) {
            if (!size.is_number_integer() || size.get<std::int64_t>() < 1 || size.get<std::int64_t>() > (1 << 26))
                fail(name + state_end, "shape: expected numbers from 1 to 2^26, found " + size.dump());
            entry.info.shape.push_back(size.get<std::int64_t>());
            elements *= entry.info.shape.back();
        }
        entry.info.name = name;
        entry.info.dtype = "NF4";
        if (state.contains("nested_blocksize")) {
            entry.format.nested_block = power_of_two(state, name, "nested_blocksize");
            if (!state.contains("nested_offset") || !state["nested_offset"].is_number()) fail(name + state_end, "expected a number nested_offset");
            entry.offset = state["nested_offset"].get<float>();
        }
        QuantShape shape;
        shape.format = entry.format;
        shape.out = entry.info.shape[0];
        shape.in = entry.info.shape[1];
        check_part(name, "U8", shape.data_bytes());
        check_part(name + ".quant_map", "F32", 16);
        check_part(name + ".absmax", shape.format.nested() ? "U8" : "F32", shape.blocks());
        if (shape.format.nested()) {
            check_part(name + ".nested_absmax", "F32", shape.nested_blocks());
            check_part(name + ".nested_quant_map", "F32", 256);
        }
        entries_[name] = entry;
    }

    std::int64_t power_of_two(const Json& state, const std::string& name, const char* field) const {
        const std::int64_t size = state.contains(field) && state[field].is_number_integer() ? state[field].get<std::int64_t>() : 0;
        if (size < 32 || size > 4096 || (size & (size - 1)) != 0) fail(name + state_end, fmt::format("expected a {} of 32, 64, ... 4096", field));
        return size;
    }

    void check_part(const std::string& name, const char* dtype, std::int64_t elements) const {
        const TensorInfo* const info = base().find(name);
        if (info == nullptr) fail(name, "the tensor is missing");
        std::int64_t found = 1;
        for (const std::int64_t size : info->shape) found *= size;
        if (info->dtype != dtype || found != elements)
            fail(name, fmt::format("{} numbers of {}, expected {} of {}", found, info->dtype, elements, dtype));
    }

    std::vector<float> floats(const std::string& name, std::int64_t count) const {
        std::vector<float> numbers(static_cast<std::size_t>(count));
        const std::vector<std::uint8_t> bytes = base().read_bytes(name, numbers.size() * sizeof(float));
        std::memcpy(numbers.data(), bytes.data(), bytes.size());
        return numbers;
    }

    void read_absmax(const Entry& entry, QuantMatrix& to) const {
        const std::string& name = entry.info.name;
        to.map = floats(name + ".quant_map", 16);
        if (!to.view.format.nested()) {
            to.absmax = floats(name + ".absmax", to.view.blocks());
            return;
        }
        to.absmax_codes = base().read_bytes(name + ".absmax", static_cast<std::uint64_t>(to.view.blocks()));
        to.nested_absmax = floats(name + ".nested_absmax", to.view.nested_blocks());
        to.nested_map = floats(name + ".nested_quant_map", 256);
        to.view.offset = entry.offset;
    }

    std::map<std::string, Entry> entries_;
};

}  // namespace

bool is_bitsandbytes(const TensorSource& weights) {
    for (const std::string& name : weights.names())
        if (name.find(".quant_state.bitsandbytes__") != std::string::npos) return true;
    return false;
}

std::unique_ptr<TensorSource> open_bitsandbytes(std::unique_ptr<TensorSource> weights) {
    return std::make_unique<BitsAndBytesWeights>(std::move(weights));
}

}  // namespace temper
