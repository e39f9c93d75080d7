// An adapter's tensors on disk, in PEFT's format.
#include <set>

#include <fmt/ranges.h>

#include "io/durable.h"
#include "io/jsonl.h"
#include "io/tensors/tensor_source.h"
#include "model/adapter_config.h"

namespace temper {
namespace {

std::string tensor_name(const LoraModule& module, char which) { return fmt::format("base_model.model.{}.lora_{}.weight", module.path, which); }

struct AdapterTensor {
    std::string name;
    View value;  // into the parameter vector
};

std::vector<AdapterTensor> adapter_tensors(const LoraLayout& layout, float* parameters) {
    std::vector<AdapterTensor> tensors;
    for (const LoraModule& module : layout.modules) {
        tensors.push_back({tensor_name(module, 'A'), View(parameters + module.offset_a, DType::f32, {module.rank, module.in})});
        tensors.push_back({tensor_name(module, 'B'), View(parameters + module.offset_b, DType::f32, {module.out, module.rank})});
        if (module.offset_m >= 0)
            tensors.push_back({fmt::format("base_model.model.{}.lora_magnitude_vector", module.path),
                               View(parameters + module.offset_m, DType::f32, {module.out})});
    }
    for (const SavedModule& module : layout.saved)
        for (const std::string& path : module.paths())
            tensors.push_back({"base_model.model." + path + ".weight", View(parameters + module.offset, DType::f32, {module.rows, module.columns})});
    return tensors;
}

// Of modules trained whole PEFT may write the weight under the wrapper's names too, and the one that it replaced.
bool is_wrapped_copy(const LoraLayout& layout, const std::string& name) {
    for (const SavedModule& module : layout.saved)
        for (const std::string& path : module.paths())
            if (name == "base_model.model." + path + ".modules_to_save.weight" || name == "base_model.model." + path + ".original_module.weight")
                return true;
    return false;
}

}  // namespace

std::vector<float> read_adapter(const std::filesystem::path& directory, const LoraLayout& layout) {
    const auto source = open_safetensors(directory / "adapter_model.safetensors");
    // Of whole modules the file must hold what they will take.
    for (const SavedModule& module : layout.saved)
        for (const std::string& path : module.paths())
            if (const TensorInfo* info = source->find("base_model.model." + path + ".weight");
                info != nullptr && info->shape != std::vector<std::int64_t>{module.rows, module.columns})
                throw_error(ExitCode::bad_data, "{}: tensor {} has shape ({}), expected ({}, {}): the adapter is of another model",
                            source->describe(), info->name, fmt::join(info->shape, ", "), module.rows, module.columns);
    std::vector<float> parameters(static_cast<std::size_t>(layout.parameters));
    std::set<std::string> expected;
    for (const AdapterTensor& tensor : adapter_tensors(layout, parameters.data())) {
        // Of a head that stays tied one of the two names is enough.
        const SavedModule* const shared = layout.saved_head();
        if (source->find(tensor.name) == nullptr && shared != nullptr && shared->embedding && tensor.name == "base_model.model.lm_head.weight")
            continue;
        if (source->find(tensor.name) == nullptr)
            throw_error(ExitCode::bad_data, "{}: tensor {} {} is missing: this adapter is of another model or of other target modules",
                        source->describe(), tensor.name, tensor.value.describe());
        source->read(tensor.name, tensor.value);
        expected.insert(tensor.name);
    }
    for (const std::string& name : source->names())
        if (!expected.contains(name) && !is_wrapped_copy(layout, name))
            throw_error(ExitCode::bad_data, "{}: tensor {} belongs to no linear layer of this model: the adapter is of another model",
                        source->describe(), name);
    return parameters;
}

void write_adapter(const std::filesystem::path& directory, const LoraLayout& layout, const float* parameters, const std::string& base_model) {
    std::vector<NamedTensor> tensors;
    for (const AdapterTensor& tensor : adapter_tensors(layout, const_cast<float*>(parameters))) tensors.push_back({tensor.name, tensor.value});
    const Json config = adapter_config_json(layout, base_model);
    std::filesystem::create_directories(directory);
    write_durable(directory / "adapter_config.json", config.dump(2) + "\n");
    write_durable(directory / "README.md",
                  fmt::format("---\nlibrary_name: peft\nbase_model: {}\ntags:\n- lora\n---\nA LoRA adapter (r {}, alpha {}) in PEFT's format.\n",
                              base_model, layout.settings.r, layout.settings.alpha));
    write_safetensors(directory / "adapter_model.safetensors", tensors);
}

}  // namespace temper
