#include "retrieval/features_config.h"

#include "io/durable.h"
#include "io/jsonl.h"
#include "kernels/error.h"
#include "retrieval/document.h"
#include "retrieval/features_fields.h"

namespace temper {
namespace {

Fields fields_of(FeaturesConfig& config) {
    Fields fields;
    describe(fields, config);
    return fields;
}

void check_category(const std::string& name, const std::string& where) {
    if (!is_category_name(name))
        throw_error(ExitCode::usage, "{}: category \"{}\": expected letters, digits, '-', '_' and '.', a letter or digit first, at most 64", where,
                    name);
}

void check(const FeaturesConfig& config, const Settings& settings) {
    if (config.model.empty()) throw_error(ExitCode::usage, "model is missing: the directory of the embedding model");
    if (config.sources.empty()) throw_error(ExitCode::usage, "sources is missing: a list of folders, files of rows or lists of URLs");
    for (const FeatureSource& source : config.sources) {
        if (source.path.empty()) throw_error(ExitCode::usage, "{}: a source without a path", settings.where("sources"));
        check_category(source.category, settings.where("sources"));
    }
    for (const std::string& category : config.categories) check_category(category, settings.where("categories"));
    if (config.chunking.overlap_tokens > config.chunking.chunk_tokens / 2)
        throw_error(ExitCode::usage, "{}: chunking.overlap_tokens is {}, expected at most half of chunking.chunk_tokens ({})",
                    settings.where("chunking.overlap_tokens"), config.chunking.overlap_tokens, config.chunking.chunk_tokens);
}

}  // namespace

FeaturesConfig parse_features_config(const std::string& yaml, const std::string& place, const std::vector<std::string>& overrides,
                                     std::vector<std::string>* notes) {
    FeaturesConfig config;
    const Settings settings(fields_of(config), yaml, place, overrides);
    check(config, settings);
    if (notes != nullptr) *notes = settings.notes();
    return config;
}

FeaturesConfig load_features_config(const std::filesystem::path& path, const std::vector<std::string>& overrides, std::vector<std::string>* notes) {
    return parse_features_config(read_file(path, std::size_t(1) << 20), path.string(), overrides, notes);
}

Json features_json(const FeaturesConfig& config) {
    FeaturesConfig copy = config;  // fields are bound to a value that they could change
    return settings_json(fields_of(copy));
}

std::string features_hash(const FeaturesConfig& config) {
    Json resolved = features_json(config);
    for (const char* name : {"store", "output_dir", "run_name", "threads", "embedding", "qdrant"}) resolved.erase(name);
    return sha256_hex(nlohmann::json(resolved).dump());
}

std::string features_help() {
    FeaturesConfig config;
    return "Settings [default]:\n" + settings_help(fields_of(config));
}

std::string features_markdown() {
    FeaturesConfig config;
    return settings_markdown(fields_of(config));
}

}  // namespace temper
