#include "model/convert.h"

#include <algorithm>
#include <cmath>

#include "io/durable.h"
#include "model/lora.h"

namespace temper {
namespace {

struct OwnedTensors {
    std::vector<std::vector<char>> memory;
    std::vector<NamedTensor> tensors;

    View add(const std::string& name, DType dtype, const std::vector<std::int64_t>& shape) {
        std::int64_t elements = 1;
        for (const std::int64_t size : shape) elements *= size;
        memory.emplace_back(static_cast<std::size_t>(elements * size_of(dtype)));
        const View view = shape.size() == 1 ? View(memory.back().data(), dtype, {shape[0]}) : View(memory.back().data(), dtype, {shape[0], shape[1]});
        tensors.push_back({name, view});
        return view;
    }
};

void require_new(const std::filesystem::path& output) {
    if (std::filesystem::exists(output) && !std::filesystem::is_empty(output))
        throw_error(ExitCode::usage, "output '{}' exists and is not empty: name a new directory", output.string());
    std::error_code failure;
    std::filesystem::create_directories(output, failure);
    if (failure) throw_error(ExitCode::io_error, "{}: cannot make the directory: {}", output.string(), failure.message());
}

void write_model_files(const std::filesystem::path& output, const ModelFiles& files, DType dtype, const OwnedTensors& weights) {
    const Tokenizer tokenizer = files.load_tokenizer();
    const std::int32_t bos = tokenizer.bos_id().value_or(-1), eos = tokenizer.eos_id().value_or(-1);
    write_safetensors(output / "model.safetensors", weights.tensors);
    Json generation = Json::object();
    if (bos >= 0) generation["bos_token_id"] = bos;
    if (!files.config().eos_ids.empty()) generation["eos_token_id"] = files.config().eos_ids;
    else if (eos >= 0) generation["eos_token_id"] = eos;
    write_durable(output / "generation_config.json", generation.dump(2) + "\n");
    write_durable(output / "config.json", to_config_json(files.config(), name_of(dtype), bos, eos).dump(2) + "\n");
}

void copy_tokenizer(const ModelFiles& files, const std::filesystem::path& output) {
    if (files.gguf() != nullptr) {
        const Tokenizer tokenizer = files.load_tokenizer();
        write_durable(output / "tokenizer.json", tokenizer.to_tokenizer_json());
        write_durable(output / "tokenizer_config.json", tokenizer.to_tokenizer_config_json());
        return;
    }
    for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "added_tokens.json"})
        if (std::filesystem::exists(files.path() / name)) write_durable(output / name, read_file(files.path() / name));
}

void add_product(View weight, const LoraModule& module, const std::vector<float>& parameters, std::vector<float>& sum) {
    const float* a = parameters.data() + module.offset_a;  // (rank, in)
    const float* b = parameters.data() + module.offset_b;  // (out, rank)
    for (std::int64_t row = 0; row < module.out; ++row) {
        std::fill(sum.begin(), sum.end(), 0.0f);
        for (std::int64_t k = 0; k < module.rank; ++k)
            for (std::int64_t column = 0; column < module.in; ++column)
                sum[static_cast<std::size_t>(column)] += b[row * module.rank + k] * a[k * module.in + column];
        float* target = weight.row<float>(row);
        for (std::int64_t column = 0; column < module.in; ++column) target[column] += module.scale * sum[static_cast<std::size_t>(column)];
    }
}

}  // namespace

void convert_gguf(const std::filesystem::path& gguf, const std::filesystem::path& output) {
    const ModelFiles files(gguf);
    if (files.gguf() == nullptr) throw_error(ExitCode::usage, "'{}' is a directory: convert reads a .gguf file", gguf.string());
    require_new(output);
    OwnedTensors weights;
    for (const TensorInfo& info : weight_list(files.config())) files.weights().read(info.name, weights.add(info.name, DType::bf16, info.shape));
    copy_tokenizer(files, output);
    write_model_files(output, files, DType::bf16, weights);
}

void merge_adapter(const std::filesystem::path& model, const std::filesystem::path& adapter, const std::filesystem::path& output) {
    const ModelFiles files(model);
    const LoraLayout lora = make_lora_layout(files.config(), read_adapter_settings(adapter));
    const std::vector<float> parameters = read_adapter(adapter, lora);
    require_new(output);
    const TensorInfo* embedding = files.weights().find("model.embed_tokens.weight");
    const DType dtype = embedding->dtype == "F32" && files.gguf() == nullptr ? DType::f32 : DType::bf16;
    OwnedTensors weights;
    for (const TensorInfo& info : weight_list(files.config())) {
        const View target = weights.add(info.name, dtype, info.shape);
        const auto module =
            std::find_if(lora.modules.begin(), lora.modules.end(), [&](const LoraModule& m) { return m.path + ".weight" == info.name; });
        if (module == lora.modules.end()) {
            files.weights().read(info.name, target);
            continue;
        }
        std::vector<float> memory(static_cast<std::size_t>(module->out * module->in)), sum(static_cast<std::size_t>(module->in));
        const View exact(memory.data(), DType::f32, {module->out, module->in});
        files.weights().read(info.name, exact);
        add_product(exact, *module, parameters, sum);
        for (std::size_t i = 0; i < memory.size(); ++i) {
            if (!std::isfinite(memory[i])) throw_error(ExitCode::non_finite, "merge: {} is not finite at element {}", info.name, i);
            if (dtype == DType::f32) static_cast<float*>(target.data)[i] = memory[i];
            else static_cast<bf16*>(target.data)[i] = to_bf16(memory[i]);
        }
    }
    copy_tokenizer(files, output);
    write_model_files(output, files, dtype, weights);
}

}  // namespace temper
