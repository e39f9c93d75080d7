#include "eval/answer_cache.h"

#include <cerrno>
#include <cstring>

#include "io/durable.h"
#include "kernels/error.h"

namespace temper {
namespace {

void append(std::string& bytes, const std::vector<std::int32_t>& ids) {
    const auto size = static_cast<std::uint64_t>(ids.size());
    bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
    bytes.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(std::int32_t));
}

std::string key_of(const LoglikelihoodRequest& request) {
    std::string bytes = "loglikelihood";
    append(bytes, request.context);
    append(bytes, request.continuation);
    return sha256_hex(bytes).substr(0, 32);
}

std::string key_of(const std::vector<std::int32_t>& prompt, const std::string& settings) {
    std::string bytes = "generate " + settings;
    append(bytes, prompt);
    return sha256_hex(bytes).substr(0, 32);
}

}  // namespace

AnswerCache::AnswerCache(const std::filesystem::path& folder, int rank) {
    if (folder.empty()) return;
    std::error_code ignored;
    std::filesystem::create_directories(folder, ignored);
    if (std::filesystem::is_directory(folder))
        for (const auto& entry : std::filesystem::directory_iterator(folder))
            if (entry.path().extension() == ".jsonl") read(entry.path());
    file_ = folder / ("rank-" + std::to_string(rank) + ".jsonl");
    const bool torn = std::filesystem::exists(file_) && std::filesystem::file_size(file_) > 0;
    out_.open(file_, std::ios::app | std::ios::binary);
    if (torn) out_ << '\n';  // behind a line that may have been cut off
    flush();
}

void AnswerCache::read(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    for (std::string line; std::getline(in, line);) {
        const Json row = Json::parse(line, nullptr, false);
        if (row.is_object() && row.contains("key") && row["key"].is_string() && row.contains("answer"))
            answers_[row["key"].get<std::string>()] = row["answer"];
    }
}

std::optional<Loglikelihood> AnswerCache::find(const LoglikelihoodRequest& request) const {
    if (answers_.empty()) return std::nullopt;
    const auto known = answers_.find(key_of(request));
    if (known == answers_.end() || !known->second.is_array() || known->second.size() != 2 || !known->second[0].is_number() ||
        !known->second[1].is_boolean())
        return std::nullopt;
    return Loglikelihood{known->second[0].get<double>(), known->second[1].get<bool>()};
}

void AnswerCache::keep(const LoglikelihoodRequest& request, const Loglikelihood& answer) {
    if (file_.empty()) return;
    out_ << Json{{"key", key_of(request)}, {"answer", Json::array({answer.sum, answer.greedy})}}.dump() << '\n';
}

std::optional<std::vector<std::int32_t>> AnswerCache::find(const std::vector<std::int32_t>& prompt, const std::string& settings) const {
    if (answers_.empty()) return std::nullopt;
    const auto known = answers_.find(key_of(prompt, settings));
    if (known == answers_.end() || !known->second.is_array()) return std::nullopt;
    std::vector<std::int32_t> ids;
    for (const Json& id : known->second) {
        if (!id.is_number_integer()) return std::nullopt;
        ids.push_back(id.get<std::int32_t>());
    }
    return ids;
}

void AnswerCache::keep(const std::vector<std::int32_t>& prompt, const std::string& settings, const std::vector<std::int32_t>& ids) {
    if (file_.empty()) return;
    out_ << Json{{"key", key_of(prompt, settings)}, {"answer", ids}}.dump() << '\n';
}

void AnswerCache::flush() {
    if (file_.empty()) return;
    out_.flush();
    if (!out_) throw_error(ExitCode::io_error, "{}: cannot write: {}", file_.string(), std::strerror(errno));
}

}  // namespace temper
