#include "retrieval/extended_json.h"

#include <charconv>
#include <cmath>
#include <ctime>
#include <optional>

#include "io/base64.h"
#include "io/json_text.h"
#include "kernels/error.h"

namespace temper {
namespace {

[[noreturn]] void refuse(const std::string& place, const std::string& key, const Json& found, const char* expected) {
    throw_error(ExitCode::bad_data, "{}: {}: expected {}, found {}", place, key, expected, json_text(found).substr(0, 80));
}

std::optional<std::int64_t> whole(const Json& value) {
    if (value.is_number_integer()) return value.get<std::int64_t>();
    if (!value.is_string()) return std::nullopt;
    const auto& text = value.get_ref<const std::string&>();
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

Json real(const Json& value, const std::string& place, const std::string& key) {
    double number = 0;
    if (value.is_number()) {
        number = value.get<double>();
    } else {
        if (!value.is_string()) refuse(place, key, value, "a number in quotes");
        const auto& text = value.get_ref<const std::string&>();
        if (text == "NaN" || text == "Infinity" || text == "-Infinity") return nullptr;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc() || end != text.data() + text.size()) refuse(place, key, value, "a number in quotes");
    }
    return std::isfinite(number) ? Json(number) : Json(nullptr);
}

// Milliseconds since 1970; the years 0 to 9999.
std::string iso_time(std::int64_t milliseconds, const std::string& place, const Json& found) {
    if (milliseconds < -62167219200000 || milliseconds > 253402300799999) refuse(place, "$date", found, "a time between the years 0 and 9999");
    std::time_t seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::int64_t rest = milliseconds % 1000;
    if (rest < 0) {
        rest += 1000;
        --seconds;
    }
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    const std::string day =
        fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
    return rest == 0 ? day + "Z" : fmt::format("{}.{:03}Z", day, rest);
}

std::string date(const Json& value, const std::string& place) {
    if (value.is_string()) return value.get<std::string>();
    const bool wrapped = value.is_object() && value.size() == 1 && value.contains("$numberLong");
    const auto milliseconds = whole(wrapped ? value["$numberLong"] : value);
    if (!milliseconds) refuse(place, "$date", value, "a time as text or as milliseconds");
    return iso_time(*milliseconds, place, value);
}

// "00112233-4455-6677-8899-aabbccddeeff" of 16 bytes in base64; nothing for any other text.
std::optional<std::string> uuid_of(const std::string& base64) {
    if (base64.size() != 24) return std::nullopt;
    std::string bytes, text;
    try {
        bytes = decode_base64(base64, "$binary");
    } catch (const Error&) {
        return std::nullopt;
    }
    if (bytes.size() != 16) return std::nullopt;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", static_cast<unsigned char>(bytes[i]));
    return text;
}

Json binary(const Json& value, const std::string& place) {
    if (!value.is_object() || !value.contains("base64") || !value["base64"].is_string()) refuse(place, "$binary", value, "base64 and subType");
    const auto base64 = value["base64"].get<std::string>();
    const std::string kind = value.contains("subType") && value["subType"].is_string() ? value["subType"].get<std::string>() : "";
    if (kind == "03" || kind == "04" || kind == "3" || kind == "4")
        if (const auto uuid = uuid_of(base64)) return *uuid;
    return base64;
}

// What an object with this first key stands for; nothing where it stands for itself.
std::optional<Json> plain_value(const Json& object, const std::string& place) {
    const std::string& key = object.begin().key();
    const Json& value = object.begin().value();
    if (key.empty() || key[0] != '$' || object.size() > 2) return std::nullopt;
    if (key == "$oid" || key == "$uuid" || key == "$symbol" || key == "$code") {
        if (!value.is_string()) refuse(place, key, value, "text");
        return value;
    }
    if (key == "$binary" && value.is_string()) return value;  // version 1: {"$binary": base64, "$type": hex}
    if (object.size() > 1) return std::nullopt;
    if (key == "$date") return date(value, place);
    if (key == "$numberInt" || key == "$numberLong") {
        const auto number = whole(value);
        if (!number) refuse(place, key, value, "a whole number in quotes");
        return *number;
    }
    if (key == "$numberDouble" || key == "$numberDecimal") return real(value, place, key);
    if (key == "$binary") return binary(value, place);
    if (key == "$minKey" || key == "$maxKey" || key == "$undefined") return Json(nullptr);
    if (key == "$timestamp") {
        const auto seconds = value.is_object() && value.contains("t") ? whole(value["t"]) : std::nullopt;
        if (!seconds || *seconds < 0 || *seconds > 4294967295) refuse(place, key, value, "t, seconds, and i");
        return iso_time(*seconds * 1000, place, value);
    }
    if (key == "$regularExpression") {
        if (!value.is_object() || !value.contains("pattern") || !value["pattern"].is_string()) refuse(place, key, value, "pattern and options");
        const bool options = value.contains("options") && value["options"].is_string();
        return "/" + value["pattern"].get<std::string>() + "/" + (options ? value["options"].get<std::string>() : "");
    }
    return std::nullopt;
}

}  // namespace

void flatten_extended_json(Json& value, const std::string& place) {  // as deep as parse_json lets it be
    if (value.is_object() && !value.empty()) {
        if (std::optional<Json> plain = plain_value(value, place)) {
            value = std::move(*plain);
            return;
        }
    }
    if (value.is_structured())
        for (Json& inner : value) flatten_extended_json(inner, place);
}

}  // namespace temper
