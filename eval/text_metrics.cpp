#include "eval/text_metrics.h"

#include "kernels/error.h"

namespace temper {
namespace {

std::string trimmed(const std::string& text) {
    constexpr const char* blank = " \t\r\n\f\v";
    const std::size_t begin = text.find_first_not_of(blank);
    return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

std::string text_field(const Json& row, const char* name, const std::string& place) {
    if (!row.is_object() || !row.contains(name) || !row.at(name).is_string())
        throw_error(ExitCode::bad_data, "{}: field '{}' is missing or no string: rows are {{\"prediction\", \"reference\"}}", place, name);
    return row.at(name).get<std::string>();
}

}  // namespace

double exact_match(const std::string& prediction, const std::string& reference) { return trimmed(prediction) == trimmed(reference) ? 1.0 : 0.0; }

double json_fields(const std::string& prediction, const std::string& reference, const std::string& place) {
    const Json expected = parse_json(reference, place + ": reference");
    if (!expected.is_object() || expected.empty()) throw_error(ExitCode::bad_data, "{}: the reference is no JSON object with fields", place);
    Json found;
    try {
        found = parse_json(trimmed(prediction), "prediction");
    } catch (const Error&) {
        return 0.0;  // a model's text that is no JSON is a wrong answer, not bad data
    }
    if (!found.is_object()) return 0.0;
    std::int64_t equal = 0;
    for (const auto& [name, value] : expected.items()) equal += found.contains(name) && found.at(name) == value ? 1 : 0;
    return static_cast<double>(equal) / static_cast<double>(expected.size());
}

Json score_file(const std::filesystem::path& predictions, const std::vector<std::string>& metrics) {
    for (const std::string& metric : metrics)
        if (metric != "exact_match" && metric != "json_fields")
            throw_error(ExitCode::usage, "unknown metric '{}': known are exact_match, json_fields", metric);
    std::vector<double> sums(metrics.size(), 0.0);
    std::int64_t rows = 0;
    JsonlReader reader(predictions);
    Json row;
    while (reader.next(row)) {
        ++rows;
        const std::string prediction = text_field(row, "prediction", reader.place()), reference = text_field(row, "reference", reader.place());
        for (std::size_t i = 0; i < metrics.size(); ++i)
            sums[i] += metrics[i] == "exact_match" ? exact_match(prediction, reference) : json_fields(prediction, reference, reader.place());
    }
    if (rows == 0) throw_error(ExitCode::bad_data, "{}: no rows to score", predictions.string());
    Json result;
    for (std::size_t i = 0; i < metrics.size(); ++i) result[metrics[i]] = sums[i] / static_cast<double>(rows);
    result["rows"] = rows;
    return result;
}

}  // namespace temper
