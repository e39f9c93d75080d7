#include "retrieval/dataset_questions.h"

#include <algorithm>
#include <set>

#include "io/durable.h"
#include "kernels/error.h"
#include "retrieval/filter.h"

namespace temper {

std::vector<DatasetChunk> dataset_chunks(const DatasetConfig& config, const std::map<std::string, std::filesystem::path>& collections) {
    const Filter filter(config.filters);
    std::vector<DatasetChunk> chunks;
    for (const auto& [category, file] : collections) {
        Collection collection = read_collection(file);
        for (Chunk& chunk : collection.chunks)
            if (static_cast<std::int64_t>(chunk.text.size()) >= config.min_characters && filter.keeps(chunk, category))
                chunks.push_back({std::move(chunk), category});
    }
    const auto most = static_cast<std::size_t>(config.max_chunks);
    if (most == 0 || chunks.size() <= most) return chunks;
    std::vector<std::pair<std::string, std::size_t>> order;  // a fixed shuffle: each chunk's own number decides
    for (std::size_t i = 0; i < chunks.size(); ++i)
        order.emplace_back(sha256_hex(fmt::format("{}:{}:{}", config.seed, chunks[i].category, chunks[i].chunk.id)), i);
    std::sort(order.begin(), order.end());
    std::set<std::size_t> chosen;
    for (std::size_t i = 0; i < most; ++i) chosen.insert(order[i].second);
    std::vector<DatasetChunk> result;
    for (const std::size_t i : chosen) result.push_back(std::move(chunks[i]));
    return result;
}

DatasetQuestions::Prompt DatasetQuestions::read(const std::string& path) {
    try {
        return {path, ChatTemplate(read_file(path, std::size_t(1) << 20), "", "")};
    } catch (const Error& error) {
        if (error.code() == ExitCode::missing_input) throw;
        throw_error(ExitCode::usage, "{}: {}", path, error.what());
    }
}

DatasetQuestions::DatasetQuestions(const DatasetConfig& config)
    : user_(read(config.prompts.user)), rows_(config.rows_per_chunk), fields_(config.row_fields()) {
    if (config.prompts.system) system_.emplace(read(*config.prompts.system));
}

std::string DatasetQuestions::render(const Prompt& prompt, const Json& variables) {
    try {
        return prompt.text.render(Json::array(), false, variables).text;
    } catch (const Error& error) {
        throw_error(ExitCode::usage, "{}: {}", prompt.path, error.what());
    }
}

Json DatasetQuestions::messages(const DatasetChunk& chunk) const {
    const Json variables = {{"text", chunk.chunk.text},
                            {"metadata", chunk.chunk.metadata},
                            {"category", chunk.category},
                            {"document", chunk.chunk.document},
                            {"rows", rows_},
                            {"fields", fields_}};
    Json messages = Json::array();
    if (system_) messages.push_back({{"role", "system"}, {"content", render(*system_, variables)}});
    messages.push_back({{"role", "user"}, {"content", render(user_, variables)}});
    return messages;
}

}  // namespace temper
