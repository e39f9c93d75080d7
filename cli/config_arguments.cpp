#include "cli/config_arguments.h"

#include <cctype>

#include "io/log.h"
#include "kernels/error.h"

namespace temper {
namespace {

// "train.seed=1" is one; "./a=b.yaml" is a path.
bool is_override(const std::string& word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) return false;
    for (std::size_t i = 0; i < equals; ++i) {
        const auto c = static_cast<unsigned char>(word[i]);
        if (std::isalnum(c) == 0 && c != '_' && c != '.' && c != '-') return false;
    }
    return true;
}

}  // namespace

void ConfigArguments::add_to(Command& command) {
    command.positionals("CONFIG.yaml [key=value ...]", words,
                        "The configuration, and settings that override it: by full path (train.seed=1) or unique last name (seed=1).");
}

Config ConfigArguments::load(TrainKind kind, ConfigNotes& notes) const {
    std::string file;
    std::vector<std::string> overrides;
    for (const std::string& word : words) {
        if (is_override(word)) {
            overrides.push_back(word);
        } else if (file.empty()) {
            file = word;
        } else {
            throw_error(ExitCode::usage, "two configurations are given, {} and {}; a setting is key=value", file, word);
        }
    }
    if (file.empty()) throw_error(ExitCode::usage, "no configuration is given, expected CONFIG.yaml");
    return load_config(file, overrides, kind, &notes);
}

}  // namespace temper
