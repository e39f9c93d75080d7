// Typed fields of one JSON object of a model's configuration; messages name the file and the field.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "model/config.h"

namespace temper {

class ConfigReader {
  public:
    ConfigReader(const Json& json, std::string place);
    const std::string& place() const { return place_; }
    bool has(const char* key) const { return json_.contains(key) && !json_.at(key).is_null(); }
    bool at_all(const char* key) const { return json_.contains(key); }  // has, or null
    const Json& at(const char* key) const { return json_.at(key); }

    std::int64_t integer(const char* key, std::int64_t limit) const;  // from 1 to limit
    std::int64_t integer_or(const char* key, std::int64_t fallback, std::int64_t limit) const;
    double number_or(const char* key, double fallback) const;
    bool flag_or(const char* key, bool fallback) const;
    std::string text_or(const char* key, const std::string& fallback) const;
    std::vector<double> numbers(const char* key) const;  // finite and positive
    [[noreturn]] void refuse(const char* key, const std::string& why) const;

  private:
    const Json& json_;
    std::string place_;
};

constexpr std::int64_t max_model_size = std::int64_t(1) << 24;
constexpr std::int64_t max_position_limit = std::int64_t(1) << 40;

// rope_parameters of transformers 5, rope_scaling and rope_theta of transformers 4: theta, rotary_size and scaling.
void parse_rope(const ConfigReader& fields, ModelConfig& config);

}  // namespace temper
