#include "eval/task_docs.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_set>

#include "io/jinja/literals.h"
#include "io/rows/row_source.h"
#include "kernels/error.h"

namespace temper {
namespace {

bool is_table(const std::filesystem::path& file) {
    const std::string format = row_format(file);
    return format.starts_with("CSV") || format.starts_with("TSV");
}

std::optional<Json> number_of(const std::string& text) {
    if (text.empty() || text.find_first_of(" \t_xXbBoO") != std::string::npos) return std::nullopt;
    if (text.find_first_of(".eEnN") == std::string::npos)
        if (const std::optional<std::int64_t> integer = jinja::parse_integer(text, 10)) return *integer;
    if (const std::optional<double> real = jinja::parse_float(text); real && std::isfinite(*real)) return *real;
    return std::nullopt;
}

// Columns of text become numbers where all their fields are.
void infer_types(std::vector<Json>& docs, std::size_t first) {
    if (docs.size() == first) return;
    const Json columns = docs[first];
    for (const auto& [name, ignored] : columns.items()) {
        bool numbers = true, filled = false, reals = false;
        for (std::size_t i = first; i < docs.size() && numbers; ++i) {
            const std::string& text = docs[i][name].get_ref<const std::string&>();
            if (text.empty()) continue;
            const std::optional<Json> number = number_of(text);
            filled = true;
            numbers = number.has_value();
            reals |= numbers && number->is_number_float();
        }
        for (std::size_t i = first; i < docs.size(); ++i) {
            Json& value = docs[i][name];
            const std::string text = value.get<std::string>();
            if (text.empty()) value = nullptr;
            else if (numbers && filled) value = reals ? Json(number_of(text)->get<double>()) : *number_of(text);
        }
    }
}

}  // namespace

std::vector<Json> load_docs(const std::vector<std::filesystem::path>& files) {
    std::vector<Json> docs;
    std::vector<std::string> names;
    std::unordered_set<std::string> known;
    for (const std::filesystem::path& file : files) {
        const std::size_t first = docs.size();
        const std::unique_ptr<RowSource> source = open_rows(file);
        for (Json row; source->next(row);) {
            if (!row.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", source->place(), row.type_name());
            for (const auto& [name, ignored] : row.items())
                if (known.insert(name).second) names.push_back(name);
            docs.push_back(std::move(row));
        }
        if (is_table(file)) infer_types(docs, first);
    }
    for (Json& doc : docs) {
        if (doc.size() == names.size()) continue;
        for (const std::string& name : names)
            if (!doc.contains(name)) doc[name] = nullptr;
    }
    return docs;
}

}  // namespace temper
