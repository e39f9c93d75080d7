// Settings of `temper dataset`, declared once in dataset_fields.h.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "io/http/chat_settings.h"

namespace temper {

struct DatasetPrompts {
    std::string user;                   // file of a Jinja template
    std::optional<std::string> system;  // the same
};

struct DatasetConfig {
    std::string store, kind = "instruct", form = "messages";
    std::vector<std::string> categories, filters;
    std::int64_t max_chunks = 0, min_characters = 200, rows_per_chunk = 3;
    double test_share = 0.1, max_cost = 0;
    std::int64_t seed = 42;
    DatasetPrompts prompts;
    EndpointSettings endpoint;
    std::vector<TokenPrice> prices;
    std::string output_dir = "runs", run_name = "dataset";

    std::vector<std::string> row_fields() const;  // prompt, completion; or prompt, chosen, rejected
};

// Precedence: overrides (key=value), environment (TEMPER_…), file, defaults. usage with the place; missing_input.
DatasetConfig load_dataset_config(const std::filesystem::path& path, const std::vector<std::string>& overrides,
                                  std::vector<std::string>* notes = nullptr);
nlohmann::ordered_json dataset_json(const DatasetConfig& config);  // resolved, in the order of declaration
// Of what decides the rows: not of the pace, the prices and the names of directories.
std::string dataset_hash(const DatasetConfig& config);
std::string dataset_help();

}  // namespace temper
