#include "io/python_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <array>

#include <pcre2.h>

#include "io/unicode.h"
#include "kernels/error.h"

namespace temper {
namespace {

// \Z is the very end of the text in Python, and may stand before a last line end in PCRE2.
std::string translate(std::string_view pattern) {
    std::string out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '\\' || i + 1 == pattern.size()) {
            out += pattern[i];
            continue;
        }
        ++i;
        out += '\\';
        out += pattern[i] == 'Z' ? 'z' : pattern[i];
    }
    return out;
}

std::string error_text(int code) {
    std::array<PCRE2_UCHAR, 256> buffer{};
    pcre2_get_error_message(code, buffer.data(), buffer.size());
    return reinterpret_cast<const char*>(buffer.data());
}

const pcre2_code* code_of(const std::shared_ptr<const void>& code) { return static_cast<const pcre2_code*>(code.get()); }

constexpr std::size_t nowhere = std::string_view::npos;

}  // namespace

PythonRegex::PythonRegex(std::string_view pattern, const std::string& place) : place_(place) {
    const std::string translated = translate(pattern);
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code* const code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                           PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_ALLOW_EMPTY_CLASS, &error, &offset, nullptr);
    if (!code) throw_error(ExitCode::bad_data, "{}: regular expression \"{}\", character {}: {}", place, pattern, offset, error_text(error));
    code_ = std::shared_ptr<const void>(code, [](const void* owned) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(owned))); });
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without JIT the interpreter matches the same
    std::uint32_t count = 0;
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &count);
    groups_ = static_cast<int>(count);
}

bool PythonRegex::next(std::string_view text, std::size_t from, std::size_t empty_at, std::vector<Group>& groups) const {
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(pcre2_match_data_create_from_pattern(code_of(code_), nullptr),
                                                                                   &pcre2_match_data_free);
    if (!data) throw_error(ExitCode::internal, "no memory for matching regular expressions");
    const std::uint32_t options = PCRE2_NO_UTF_CHECK | (from == empty_at ? PCRE2_NOTEMPTY_ATSTART : 0u);
    const int rc = pcre2_match(code_of(code_), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, options, data.get(), nullptr);
    if (rc == PCRE2_ERROR_NOMATCH) return false;
    if (rc < 0) throw_error(ExitCode::bad_data, "{}: matching a text of {} bytes: {}", place_, text.size(), error_text(rc));
    const PCRE2_SIZE* const found = pcre2_get_ovector_pointer(data.get());
    groups.assign(static_cast<std::size_t>(groups_) + 1, {nowhere, nowhere});
    for (std::size_t i = 0; i < static_cast<std::size_t>(rc); ++i)
        if (found[2 * i] != PCRE2_UNSET) groups[i] = {found[2 * i], found[2 * i + 1]};
    return true;
}

std::vector<std::vector<std::string>> PythonRegex::find_all(std::string_view text) const {
    std::vector<std::vector<std::string>> matches;
    std::vector<Group> groups;
    // Behind a match an empty one may follow at its end, behind an empty match only a longer one.
    for (std::size_t from = 0, empty_at = nowhere; from <= text.size() && next(text, from, empty_at, groups);) {
        std::vector<std::string>& match = matches.emplace_back();
        for (std::size_t i = groups_ > 0 ? 1 : 0; i < groups.size(); ++i)
            match.push_back(groups[i].begin == nowhere ? std::string() : std::string(text.substr(groups[i].begin, groups[i].end - groups[i].begin)));
        empty_at = groups[0].begin == groups[0].end ? groups[0].end : nowhere;
        from = groups[0].end;
    }
    return matches;
}

bool PythonRegex::search(std::string_view text) const {
    std::vector<Group> groups;
    return next(text, 0, nowhere, groups);
}

void PythonRegex::append_replacement(std::string& out, std::string_view text, std::string_view replacement, const std::vector<Group>& groups) const {
    const auto append = [&](std::size_t index) {
        if (index >= groups.size()) throw_error(ExitCode::bad_data, "{}: the replacement names group {} of {}", place_, index, groups_);
        if (groups[index].begin != nowhere) out += text.substr(groups[index].begin, groups[index].end - groups[index].begin);
    };
    for (std::size_t i = 0; i < replacement.size(); ++i) {
        if (replacement[i] != '\\' || i + 1 == replacement.size()) {
            out += replacement[i];
            continue;
        }
        const char c = replacement[++i];
        if (c >= '1' && c <= '9') {
            std::size_t index = static_cast<std::size_t>(c - '0');
            if (i + 1 < replacement.size() && replacement[i + 1] >= '0' && replacement[i + 1] <= '9')
                index = 10 * index + static_cast<std::size_t>(replacement[++i] - '0');
            append(index);
        } else if (c == 'g' && i + 1 < replacement.size() && replacement[i + 1] == '<') {
            const std::size_t end = replacement.find('>', i);
            if (end == nowhere) throw_error(ExitCode::bad_data, "{}: the replacement has \\g< without >", place_);
            const std::string name(replacement.substr(i + 2, end - i - 2));
            const bool number = !name.empty() && name.find_first_not_of("0123456789") == nowhere && name.size() < 4;
            const int index = number ? std::stoi(name) : pcre2_substring_number_from_name(code_of(code_), reinterpret_cast<PCRE2_SPTR>(name.c_str()));
            if (index < 0) throw_error(ExitCode::bad_data, "{}: the replacement names the group '{}', which the pattern does not have", place_, name);
            append(static_cast<std::size_t>(index));
            i = end;
        } else if (c == 'n' || c == 't' || c == 'r') {
            out += c == 'n' ? '\n' : c == 't' ? '\t' : '\r';
        } else if (c == '\\') {
            out += '\\';
        } else {
            throw_error(ExitCode::bad_data, "{}: the replacement has \\{}, which is no escape", place_, c);
        }
    }
}

std::string PythonRegex::replace(std::string_view text, std::string_view replacement, std::size_t count) const {
    std::string out;
    std::vector<Group> groups;
    std::size_t copied = 0, done = 0;
    for (std::size_t from = 0, empty_at = nowhere; from <= text.size() && (count == 0 || done < count) && next(text, from, empty_at, groups);
         ++done) {
        out += text.substr(copied, groups[0].begin - copied);
        append_replacement(out, text, replacement, groups);
        copied = from = groups[0].end;
        empty_at = groups[0].begin == groups[0].end ? from : nowhere;
    }
    return out += text.substr(copied);
}

}  // namespace temper
