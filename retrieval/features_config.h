// Settings of `temper features`, declared once in features_fields.h.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace temper {

struct FeatureSource {
    std::string path;
    std::string kind = "auto";  // auto | folder | rows | urls
    std::string category = "article";
    std::string category_field = "category", id_field, text_field;
    std::string text_form = "auto";               // auto | html | markdown | text | code
    std::vector<std::string> metadata_fields;     // none: all
    std::map<std::string, std::string> metadata;  // of every document of the source
    std::vector<std::string> include, exclude;    // patterns as in .gitignore
};

struct CleaningConfig {
    std::int64_t min_characters = 1;
    std::int64_t max_file_bytes = 8 << 20;
    std::int64_t pdf_seconds = 60;
};

struct ChunkingConfig {
    std::int64_t chunk_tokens = 256, overlap_tokens = 50;
};

struct DuplicatesConfig {
    bool near = true;
    double threshold = 0.8;
    std::int64_t shingle_words = 5;
};

struct EmbeddingConfig {
    std::int64_t batch_chunks = 256, part_chunks = 8192;
};

struct IndexConfig {
    std::string kind = "auto";  // auto | exact | hnsw
};

struct QdrantConfig {
    std::string url;  // empty: none
    std::string alias_prefix;
    std::string api_key_env;
    std::int64_t batch_points = 256;
};

struct FetchConfig {
    std::string user_agent = "temper";
    double seconds_between = 1.0;
    std::int64_t timeout_seconds = 30;
    std::int64_t fresh_seconds = 0;
    std::int64_t attempts = 3;
    bool robots = true;
};

struct FeaturesConfig {
    std::string model;
    std::string device = "auto", dtype = "float32";
    std::int64_t threads = 0;
    std::string store = "features";
    std::string output_dir = "runs", run_name = "features";
    std::vector<FeatureSource> sources;
    std::vector<std::string> categories;
    std::string on_bad_document = "skip";  // skip | fail
    CleaningConfig cleaning;
    ChunkingConfig chunking;
    DuplicatesConfig duplicates;
    EmbeddingConfig embedding;
    IndexConfig index;
    FetchConfig fetch;
    QdrantConfig qdrant;
};

// Precedence: overrides (key=value), environment (TEMPER_…), file, defaults. Usage error with the place for unknown keys, wrong types and values that
// contradict one another; missing_input when there is no such file. `notes` gets what a user should know.
FeaturesConfig load_features_config(const std::filesystem::path& path, const std::vector<std::string>& overrides,
                                    std::vector<std::string>* notes = nullptr);
FeaturesConfig parse_features_config(const std::string& yaml, const std::string& place, const std::vector<std::string>& overrides,
                                     std::vector<std::string>* notes = nullptr);

nlohmann::ordered_json features_json(const FeaturesConfig& config);  // resolved, in the order of declaration
std::string features_hash(const FeaturesConfig& config);             // of what decides the chunks and vectors
std::string features_help();
std::string features_markdown();

}  // namespace temper
