#include "model/model_path.h"

#include <fstream>

#include "kernels/error.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

// "owner/name": two parts, and no such folder here.
bool looks_like_hub_name(const fs::path& model) {
    const std::string name = model.string();
    const std::size_t slash = name.find('/');
    return slash != std::string::npos && slash > 0 && slash + 1 < name.size() && name.find('/', slash + 1) == std::string::npos && name[0] != '.' &&
           name[0] != '~' && model.extension() != ".gguf" && !fs::exists(model.parent_path());
}

bool begins_as_gguf(const fs::path& file) {
    std::string magic(4, '\0');
    std::ifstream stream(file, std::ios::binary);
    return stream.read(magic.data(), 4) && magic == "GGUF";
}

}  // namespace

void require_model(const fs::path& model) {
    if (!fs::exists(model))
        throw_error(ExitCode::missing_input, "model '{}' does not exist: give a Hugging Face directory or a .gguf file{}", model.string(),
                    looks_like_hub_name(model)
                        ? fmt::format("; a model of the Hub is downloaded first, as with hf download {} --local-dir DIR", model.string())
                        : "");
    if (!fs::is_directory(model) && model.extension() != ".gguf" && !begins_as_gguf(model))
        throw_error(ExitCode::bad_data, "model '{}' is neither a directory nor a GGUF file: give the model's directory", model.string());
}

}  // namespace temper
