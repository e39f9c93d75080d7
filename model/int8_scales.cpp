#include "model/int8_scales.h"

#include <algorithm>
#include <cmath>

#include "io/durable.h"
#include "io/jsonl.h"
#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::size_t most_bytes = std::size_t(16) << 20;
constexpr const char* format = "temper int8 scales 2";

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

Json json_of(const Int8Input& input) {
    if (input.multipliers.empty()) return nullptr;
    return {{"most", input.most}, {"multipliers", input.multipliers}};
}

Json json_of(const std::vector<Int8Input>& inputs) {
    Json list = Json::array();
    for (const Int8Input& input : inputs) list.push_back(json_of(input));
    return list;
}

Int8Input read_input(const Json& json, const std::string& place) {
    Int8Input input;
    if (json.is_null()) return input;
    if (!json.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object or null, found {}", place, json.type_name());
    const Json& multipliers = member(json, "multipliers", place);
    if (!multipliers.is_array() || multipliers.empty()) throw_error(ExitCode::bad_data, "{}: multipliers: expected numbers", place);
    for (std::size_t i = 0; i < multipliers.size(); ++i) {
        const float value = multipliers[i].is_number() ? multipliers[i].get<float>() : -1.0f;
        if (!(value > 0.0f) || !std::isfinite(value)) throw_error(ExitCode::bad_data, "{}: multipliers[{}]: expected a number above 0", place, i);
        input.multipliers.push_back(value);
    }
    const double most = number(json, "most", place);
    const std::int32_t widest = Int8Linear::widest(static_cast<std::int64_t>(multipliers.size()));
    if (!(most >= 1.0) || !(most <= widest)) throw_error(ExitCode::bad_data, "{}: most: expected 1 to {}, found {}", place, widest, most);
    input.most = static_cast<std::int32_t>(most);
    return input;
}

void check_format(const Json& json, const std::string& place) {
    if (!json.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object of format \"{}\"", place, format);
    const std::string found = text(json, "format", place);
    if (found != format)
        throw_error(ExitCode::bad_data, "{}: format \"{}\", expected \"{}\": make the file again with `temper calibrate`", place, found, format);
}

}  // namespace

std::size_t Int8Scales::accepted() const {
    return static_cast<std::size_t>(std::count_if(inputs.begin(), inputs.end(), [](const Int8Input& input) { return !input.multipliers.empty(); }));
}

std::string Int8Scales::identity() const { return sha256_hex(model_sha256 + json_of(inputs).dump()); }

Int8Scales read_int8_scales(const std::filesystem::path& path) {
    const std::string place = path.string();
    const Json json = parse_json(read_file(path, most_bytes), place);
    check_format(json, place);
    Int8Scales scales;
    scales.model_sha256 = text(json, "model_sha256", place);
    scales.texts_sha256 = text(json, "texts_sha256", place);
    scales.texts = static_cast<std::int64_t>(number(json, "texts", place));
    scales.tokens = static_cast<std::int64_t>(number(json, "tokens", place));
    scales.least_cosine = number(json, "least_cosine", place);
    scales.mean_cosine = number(json, "mean_cosine", place);
    const Json& linears = member(json, "linears", place);
    if (!linears.is_array() || linears.empty()) throw_error(ExitCode::bad_data, "{}: linears: expected a list", place);
    for (std::size_t i = 0; i < linears.size(); ++i) scales.inputs.push_back(read_input(linears[i], fmt::format("{}: linears[{}]", place, i)));
    return scales;
}

void write_int8_scales(const std::filesystem::path& path, const Int8Scales& scales) {
    const Json json{
        {"format", format},        {"model_sha256", scales.model_sha256}, {"texts_sha256", scales.texts_sha256}, {"texts", scales.texts},
        {"tokens", scales.tokens}, {"least_cosine", scales.least_cosine}, {"mean_cosine", scales.mean_cosine},   {"linears", json_of(scales.inputs)}};
    write_durable(path, json.dump() + "\n");
}

void check_int8_scales(const Int8Scales& scales, const std::string& model_sha256, const std::filesystem::path& transformer) {
    if (scales.model_sha256 != model_sha256)
        throw_error(ExitCode::usage,
                    "the scales are of a model with sha256 {}..., and this model is another: make them with `temper calibrate --model {}`",
                    scales.model_sha256.substr(0, 12), transformer.string());
}

}  // namespace temper
