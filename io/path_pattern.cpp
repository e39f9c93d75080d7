#include "io/path_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <array>

#include <pcre2.h>

#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::uint32_t most_steps = 1u << 20;  // a pattern that backtracks further over a short name is a mistake
constexpr std::size_t longest_pattern = 4096;

std::string error_text(int code) {
    std::array<PCRE2_UCHAR, 256> buffer{};
    pcre2_get_error_message(code, buffer.data(), buffer.size());
    return reinterpret_cast<const char*>(buffer.data());
}

template <class T, void (*release)(T*)> using Owned = std::unique_ptr<T, std::integral_constant<decltype(release), release>>;

}  // namespace

PathPattern::PathPattern(const std::string& pattern, const std::string& place) : place_(place), pattern_(pattern) {
    if (pattern.size() > longest_pattern)
        throw_error(ExitCode::usage, "{}: a regular expression of {} bytes, expected at most {}", place, pattern.size(), longest_pattern);
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED, &error,
                                     &offset, nullptr);
    if (code == nullptr) throw_error(ExitCode::usage, "{}: regular expression \"{}\": {} at character {}", place, pattern, error_text(error), offset);
    code_ = std::shared_ptr<const void>(code, [](const void* owned) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(owned))); });
}

bool PathPattern::run(std::string_view path, unsigned options) const {
    const auto* code = static_cast<const pcre2_code*>(code_.get());
    const Owned<pcre2_match_data, pcre2_match_data_free> data(pcre2_match_data_create(1, nullptr));
    const Owned<pcre2_match_context, pcre2_match_context_free> context(pcre2_match_context_create(nullptr));
    if (!data || !context) throw_error(ExitCode::internal, "no memory for matching regular expressions");
    pcre2_set_match_limit(context.get(), most_steps);
    const int rc = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(path.data()), path.size(), 0, options, data.get(), context.get());
    if (rc == PCRE2_ERROR_NOMATCH) return false;
    if (rc < 0) throw_error(ExitCode::usage, "{}: matching \"{}\" against {}: {}", place_, pattern_, path, error_text(rc));
    return true;
}

bool PathPattern::matches(std::string_view path) const { return run(path, PCRE2_ENDANCHORED); }
bool PathPattern::matches_start(std::string_view path) const { return run(path, 0); }

}  // namespace temper
