#include "model/int8_scales.h"

#include <algorithm>
#include <cmath>

#include "io/durable.h"
#include "io/jsonl.h"
#include "kernels/error.h"
#include "model/text_model.h"

namespace temper {
namespace {

constexpr std::size_t most_bytes = std::size_t(16) << 20;
constexpr const char* format = "temper int8 scales 1";

const Json& member(const Json& json, const char* name, const std::string& place) {
    const auto found = json.find(name);
    if (found == json.end()) throw_error(ExitCode::bad_data, "{}: no field \"{}\": make the file with `temper calibrate`", place, name);
    return *found;
}

double number(const Json& json, const char* name, const std::string& place) {
    const Json& value = member(json, name, place);
    if (!value.is_number()) throw_error(ExitCode::bad_data, "{}: {}: expected a number, found {}", place, name, value.type_name());
    return value.get<double>();
}

std::string text(const Json& json, const char* name, const std::string& place) {
    const Json& value = member(json, name, place);
    if (!value.is_string()) throw_error(ExitCode::bad_data, "{}: {}: expected text, found {}", place, name, value.type_name());
    return value.get<std::string>();
}

}  // namespace

std::size_t Int8Scales::accepted() const {
    return static_cast<std::size_t>(std::count_if(largest.begin(), largest.end(), [](float value) { return value > 0.0f; }));
}

std::string Int8Scales::identity() const { return sha256_hex(model_sha256 + Json(largest).dump()); }

Int8Scales read_int8_scales(const std::filesystem::path& path) {
    const std::string place = path.string();
    const Json json = parse_json(read_file(path, most_bytes), place);
    if (!json.is_object() || text(json, "format", place) != format)
        throw_error(ExitCode::bad_data, "{}: expected an object of format \"{}\"", place, format);
    Int8Scales scales;
    scales.model_sha256 = text(json, "model_sha256", place);
    scales.texts_sha256 = text(json, "texts_sha256", place);
    scales.texts = static_cast<std::int64_t>(number(json, "texts", place));
    scales.tokens = static_cast<std::int64_t>(number(json, "tokens", place));
    scales.least_cosine = number(json, "least_cosine", place);
    scales.mean_cosine = number(json, "mean_cosine", place);
    const Json& largest = member(json, "largest", place);
    if (!largest.is_array() || largest.empty()) throw_error(ExitCode::bad_data, "{}: largest: expected numbers", place);
    for (std::size_t i = 0; i < largest.size(); ++i) {
        const float value = largest[i].is_number() ? largest[i].get<float>() : -1.0f;
        if (!(value >= 0.0f) || !std::isfinite(value)) throw_error(ExitCode::bad_data, "{}: largest[{}]: expected a number, 0 or above", place, i);
        scales.largest.push_back(value);
    }
    return scales;
}

void write_int8_scales(const std::filesystem::path& path, const Int8Scales& scales) {
    const Json json{
        {"format", format},        {"model_sha256", scales.model_sha256}, {"texts_sha256", scales.texts_sha256}, {"texts", scales.texts},
        {"tokens", scales.tokens}, {"least_cosine", scales.least_cosine}, {"mean_cosine", scales.mean_cosine},   {"largest", scales.largest}};
    write_durable(path, json.dump(1) + "\n");
}

void check_int8_scales(const Int8Scales& scales, const std::filesystem::path& transformer) {
    if (scales.model_sha256 != text_model_sha256(transformer))
        throw_error(ExitCode::usage,
                    "the scales are of a model with sha256 {}..., and this model is another: make them with `temper calibrate --model {}`",
                    scales.model_sha256.substr(0, 12), transformer.string());
}

}  // namespace temper
