// The questions of a data set: which chunks are asked about, and what, by the templates of the configuration. Internal to retrieval/.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/chat_template.h"
#include "retrieval/collection.h"
#include "retrieval/dataset_config.h"

namespace temper {

struct DatasetChunk {
    Chunk chunk;
    std::string category;
};

// By category and row; what the filters, min_characters and max_chunks leave.
std::vector<DatasetChunk> dataset_chunks(const DatasetConfig& config, const std::map<std::string, std::filesystem::path>& collections);

class DatasetQuestions {
  public:
    explicit DatasetQuestions(const DatasetConfig& config);  // reads the prompt files; errors name them
    Json messages(const DatasetChunk& chunk) const;          // safe on several threads at once

  private:
    struct Prompt {
        std::string path;
        ChatTemplate text;
    };
    static Prompt read(const std::string& path);
    static std::string render(const Prompt& prompt, const Json& variables);
    Prompt user_;
    std::optional<Prompt> system_;
    std::int64_t rows_;
    std::vector<std::string> fields_;
};

}  // namespace temper
