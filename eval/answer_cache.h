// Answers of a model that are known already, by what was asked: a run that was killed asks the rest. Each rank appends to a file of its own; a last
// line that was cut off is passed over.
#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>

#include "eval/loglikelihood.h"
#include "model/generate.h"

namespace temper {

class AnswerCache {
  public:
    // Reads what every rank of earlier runs has written to `folder`; empty: keeps nothing.
    AnswerCache(const std::filesystem::path& folder, int rank);

    std::optional<Loglikelihood> find(const LoglikelihoodRequest& request) const;
    void keep(const LoglikelihoodRequest& request, const Loglikelihood& answer);
    // settings: what the tokens depend on beside the prompt.
    std::optional<std::vector<std::int32_t>> find(const std::vector<std::int32_t>& prompt, const std::string& settings) const;
    void keep(const std::vector<std::int32_t>& prompt, const std::string& settings, const std::vector<std::int32_t>& ids);
    void flush();  // io_error naming the file

  private:
    void read(const std::filesystem::path& file);

    std::filesystem::path file_;
    std::ofstream out_;
    std::map<std::string, Json> answers_;
};

}  // namespace temper
