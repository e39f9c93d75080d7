#include "retrieval/dataset_rows.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include "io/durable.h"
#include "io/text.h"
#include "kernels/error.h"
#include "retrieval/answer_json.h"

namespace temper {
namespace {

bool is_blank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

Json row_list(const Json& answer, const std::vector<std::string>& fields) {
    if (answer.is_array()) return answer;
    if (!answer.is_object()) throw_error(ExitCode::bad_data, "the answer is a {}, expected an object with the list \"rows\"", answer.type_name());
    if (answer.contains("rows") && answer.at("rows").is_array()) return answer.at("rows");
    if (answer.contains(fields.front())) return Json::array({answer});
    const Json* only = nullptr;
    for (const auto& [name, value] : answer.items()) {
        if (!value.is_array()) continue;
        if (only != nullptr) throw_error(ExitCode::bad_data, "the object holds several lists, expected the list \"rows\" alone");
        only = &value;
    }
    if (only == nullptr) throw_error(ExitCode::bad_data, "the object has no list \"rows\"");
    return *only;
}

}  // namespace

std::vector<Json> rows_of_answer(const std::string& answer, const std::vector<std::string>& fields, std::int64_t most) {
    const std::string text = json_in_answer(answer);
    if (text.empty()) throw_error(ExitCode::bad_data, "the answer is empty, expected JSON");
    std::vector<Json> rows;
    for (const Json& one : row_list(parse_json(text, "the answer"), fields)) {
        if (static_cast<std::int64_t>(rows.size()) == most) break;
        const std::size_t number = rows.size() + 1;
        if (!one.is_object()) throw_error(ExitCode::bad_data, "row {} is a {}, expected an object", number, one.type_name());
        Json row;
        for (const std::string& field : fields) {
            if (!one.contains(field)) throw_error(ExitCode::bad_data, "row {} has no field \"{}\"", number, field);
            if (!one.at(field).is_string())
                throw_error(ExitCode::bad_data, "row {}: \"{}\" is a {}, expected text", number, field, one.at(field).type_name());
            row[field] = std::string(trimmed(one.at(field).get_ref<const std::string&>()));
            if (row[field].get<std::string>().empty()) throw_error(ExitCode::bad_data, "row {}: \"{}\" is empty", number, field);
        }
        if (row.contains("chosen") && row.at("chosen") == row.at("rejected"))
            throw_error(ExitCode::bad_data, "row {}: \"chosen\" and \"rejected\" are equal", number);
        rows.push_back(row);
    }
    if (rows.empty()) throw_error(ExitCode::bad_data, "the list of rows is empty");
    return rows;
}

std::string repair_question(const std::string& what_is_wrong, const std::vector<std::string>& fields) {
    return fmt::format("That answer cannot be used: {}. Answer again with JSON alone: {{\"rows\": [{{\"{}\": \"...\"}}]}}, every field a text.",
                       what_is_wrong, fmt::join(fields, "\": \"...\", \""));
}

Json training_row(const Json& row, bool as_messages) {
    if (!as_messages) return row;
    Json result;
    for (const auto& [name, text] : row.items()) result[name] = Json::array({{{"role", name == "prompt" ? "user" : "assistant"}, {"content", text}}});
    return result;
}

std::string prompt_key(const std::string& prompt) {
    std::string key;
    for (const char c : prompt) {
        if (is_blank(c)) {
            if (!key.empty() && key.back() != ' ') key += ' ';
        } else {
            key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
    }
    while (!key.empty() && std::string_view(" .?!:;").find(key.back()) != std::string_view::npos) key.pop_back();
    return key;
}

bool is_test_document(const std::string& document, double share, std::int64_t seed) {
    const std::string hex = sha256_hex(std::to_string(seed) + ":" + document).substr(0, 13);  // 52 bits: a float64 holds them
    return static_cast<double>(std::strtoull(hex.c_str(), nullptr, 16)) * 0x1p-52 < share;
}

}  // namespace temper
