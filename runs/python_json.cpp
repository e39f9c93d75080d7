#include "runs/python_json.h"

#include <limits>

#include "io/durable.h"
#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::size_t most_bytes = std::size_t(1) << 30;
const char* const words[] = {"-Infinity", "Infinity", "NaN"};  // the longer first

// The words between texts, in quotes.
std::string with_words_quoted(const std::string& text) {
    std::string quoted;
    bool inside = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (inside && c == '\\' && i + 1 < text.size()) {
            quoted += c;
            quoted += text[++i];
            continue;
        }
        if (c == '"') inside = !inside;
        const char* found = nullptr;
        if (!inside && (c == '-' || c == 'I' || c == 'N'))
            for (const char* word : words)
                if (found == nullptr && text.compare(i, std::string_view(word).size(), word) == 0) found = word;
        if (found == nullptr) {
            quoted += c;
            continue;
        }
        quoted += '"' + std::string(found) + '"';
        i += std::string_view(found).size() - 1;
    }
    return quoted;
}

}  // namespace

Json parse_python_json(const std::string& text, const std::string& place) {
    const JsonLimits limits{most_bytes, 64};
    return text.find("NaN") == std::string::npos && text.find("Infinity") == std::string::npos ? parse_json(text, place, limits)
                                                                                               : parse_json(with_words_quoted(text), place, limits);
}

Json read_python_json(const std::filesystem::path& path) { return parse_python_json(read_file(path, most_bytes), path.string()); }

void read_python_jsonl(const std::filesystem::path& path, const std::function<void(const Json&, const std::string&)>& take) {
    const std::string text = read_file(path, most_bytes);
    std::int64_t line = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string place = fmt::format("{}:{}", path.string(), ++line);
        const std::string one = text.substr(begin, end - begin);
        begin = end + 1;
        if (one.find_first_not_of(" \t\r") == std::string::npos) continue;
        const Json row = parse_python_json(one, place);
        if (!row.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", place, row.type_name());
        take(row, place);
    }
}

std::optional<double> figure_of(const Json& value) {
    if (value.is_number()) return value.get<double>();
    if (value.is_boolean()) return value.get<bool>() ? 1.0 : 0.0;
    if (value == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (value == "Infinity") return std::numeric_limits<double>::infinity();
    if (value == "-Infinity") return -std::numeric_limits<double>::infinity();
    return std::nullopt;
}

}  // namespace temper
