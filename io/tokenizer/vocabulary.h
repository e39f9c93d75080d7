// The tokens of a model and their ids.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/json_section.h"

namespace temper::tok {

class Vocabulary {
  public:
    explicit Vocabulary(const JsonSection& model);         // {"vocab": {token: id}}; bad_data names the field at fault
    explicit Vocabulary(std::vector<std::string> tokens);  // by id; of equal ones the last is found
    Vocabulary(const Vocabulary&) = delete;
    Vocabulary& operator=(const Vocabulary&) = delete;

    std::size_t size() const { return size_; }                                           // tokens
    std::int64_t id_limit() const { return static_cast<std::int64_t>(tokens_.size()); }  // highest id + 1
    std::optional<std::int32_t> find(std::string_view token) const;
    const std::string* token(std::int64_t id) const;  // nullptr for a hole

  private:
    std::vector<std::string> tokens_;
    std::vector<bool> present_;
    std::size_t size_ = 0;
    std::unordered_map<std::string_view, std::int32_t> ids_;  // keys in tokens_
};

}  // namespace temper::tok
