#include "retrieval/filter.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "io/text.h"
#include "kernels/error.h"
#include "retrieval/iso_date.h"

namespace temper {
namespace {

std::optional<double> number_of(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return {};
    return value;
}

// "ann|bob" in its parts; a part in double quotes is a JSON text.
std::vector<std::string> alternatives(const std::string& text, const std::string& expression) {
    std::vector<std::string> values;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t quote = text.find_first_not_of(" \t", at);
        if (quote != std::string::npos && text[quote] == '"') {
            std::size_t end = quote + 1;
            while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
            if (end >= text.size()) throw_error(ExitCode::usage, "filter {}: a quote is not closed", expression);
            values.push_back(parse_json(std::string_view(text).substr(quote, end + 1 - quote), "filter " + expression).get<std::string>());
            at = text.find_first_not_of(" \t", end + 1);
            if (at == std::string::npos) return values;
            if (text[at] != '|') throw_error(ExitCode::usage, "filter {}: expected | behind a text in quotes", expression);
            ++at;
        } else {
            const std::size_t end = std::min(text.find('|', at), text.size());
            values.emplace_back(trimmed(std::string_view(text).substr(at, end - at)));
            at = end + 1;
        }
    }
    return values;
}

bool equals(const Json& found, const std::string& value) {
    if (found.is_string()) {
        const std::string& text = found.get_ref<const std::string&>();
        if (text == value) return true;
        const auto date = parse_iso_date(text), bound = parse_iso_date(value);
        return date && bound && bound->given > 1 && compare_to(*date, *bound) == 0;
    }
    if (found.is_boolean()) return value == (found.get<bool>() ? "true" : "false");
    if (found.is_number()) {
        const auto number = number_of(value);
        return number && *number == found.get<double>();
    }
    return found.is_null() && value == "null";
}

// -1, 0, 1, or nothing where the two cannot be compared.
std::optional<int> compare(const Json& found, const std::string& value) {
    const auto bound = number_of(value);
    if (found.is_number()) {
        if (!bound) return {};
        const auto number = found.get<double>();
        return number < *bound ? -1 : number > *bound ? 1 : 0;
    }
    if (!found.is_string()) return {};
    const std::string& text = found.get_ref<const std::string&>();
    if (const auto date = parse_iso_date(text), date_bound = parse_iso_date(value); date && date_bound) return compare_to(*date, *date_bound);
    const auto number = number_of(text);
    if (!number || !bound) return {};
    return *number < *bound ? -1 : *number > *bound ? 1 : 0;
}

}  // namespace

Filter::Filter(const std::vector<std::string>& expressions) {
    for (const std::string& expression : expressions) conditions_.push_back(parse(expression));
}

Filter::Condition Filter::parse(const std::string& expression) {
    const std::size_t at = expression.find_first_of("=!<>");
    const std::string name(trimmed(std::string_view(expression).substr(0, at)));
    if (at == std::string::npos || name.empty())
        throw_error(ExitCode::usage, "filter {}: expected NAME=VALUE, or !=, <, <=, > or >= in the place of =", expression);
    Condition condition;
    const bool with_equal = at + 1 < expression.size() && expression[at + 1] == '=';
    switch (expression[at]) {
        case '=': condition.op = Op::equal; break;
        case '!': condition.op = Op::unequal; break;
        case '<': condition.op = with_equal ? Op::less_equal : Op::less; break;
        default: condition.op = with_equal ? Op::greater_equal : Op::greater; break;
    }
    if (condition.op == Op::unequal && !with_equal) throw_error(ExitCode::usage, "filter {}: expected != where ! stands", expression);
    const std::string text = expression.substr(at + (with_equal ? 2 : 1));
    for (std::size_t begin = 0; begin <= name.size();) {
        const std::size_t end = std::min(name.find('.', begin), name.size());
        condition.path.push_back(name.substr(begin, end - begin));
        begin = end + 1;
    }
    condition.values = alternatives(text, expression);
    const bool range = condition.op != Op::equal && condition.op != Op::unequal;
    if (range && (condition.values.size() != 1 || (!number_of(condition.values[0]) && !parse_iso_date(condition.values[0]))))
        throw_error(ExitCode::usage, "filter {}: found {}, expected one number or one date (2024-05-17) to compare with", expression, text);
    return condition;
}

bool Filter::meets(const Condition& condition, const Json& found) {
    if (found.is_array() && condition.op != Op::unequal)
        return std::any_of(found.begin(), found.end(), [&](const Json& one) { return !one.is_array() && meets(condition, one); });
    if (condition.op == Op::equal)
        return std::any_of(condition.values.begin(), condition.values.end(), [&](const std::string& value) { return equals(found, value); });
    if (condition.op == Op::unequal) {
        Condition opposite = condition;
        opposite.op = Op::equal;
        return !meets(opposite, found);
    }
    const auto order = compare(found, condition.values.front());
    if (!order) return false;
    switch (condition.op) {
        case Op::less: return *order < 0;
        case Op::less_equal: return *order <= 0;
        case Op::greater: return *order > 0;
        default: return *order >= 0;
    }
}

bool Filter::keeps(const Chunk& chunk, const std::string& category) const {
    return std::all_of(conditions_.begin(), conditions_.end(), [&](const Condition& condition) {
        const Json* found = &chunk.metadata;
        for (const std::string& part : condition.path) {
            const auto next = found->is_object() ? found->find(part) : found->end();
            found = found->is_object() && next != found->end() ? &*next : nullptr;
            if (found == nullptr) break;
        }
        if (found != nullptr) return meets(condition, *found);
        const std::string& name = condition.path.front();
        if (condition.path.size() == 1 && name == "category") return meets(condition, category);
        if (condition.path.size() == 1 && name == "id") return meets(condition, chunk.id);
        if (condition.path.size() == 1 && name == "document") return meets(condition, chunk.document);
        return condition.op == Op::unequal;
    });
}

std::vector<std::uint8_t> Filter::rows(const Collection& collection) const {
    std::vector<std::uint8_t> keep;
    keep.reserve(collection.chunks.size());
    for (const Chunk& chunk : collection.chunks) keep.push_back(keeps(chunk, collection.category) ? 1 : 0);
    return keep;
}

}  // namespace temper
