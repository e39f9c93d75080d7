#include "io/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <array>

#include <pcre2.h>

#include "io/unicode.h"
#include "kernels/error.h"

namespace temper::tok {

namespace {

// Working memory of a thread, for all patterns.
struct Scratch {
    pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
    pcre2_match_context* context = pcre2_match_context_create(nullptr);
    pcre2_jit_stack* stack = pcre2_jit_stack_create(std::size_t(32) << 10, std::size_t(64) << 20, nullptr);
    Scratch() {
        if (!data || !context || !stack) throw_error(ExitCode::internal, "no memory for matching regular expressions");
        pcre2_jit_stack_assign(context, nullptr, stack);
        pcre2_set_match_limit(context, 1u << 30);  // long runs of spaces backtrack a character at a time, legitimately
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() {
        pcre2_jit_stack_free(stack);
        pcre2_match_context_free(context);
        pcre2_match_data_free(data);
    }
};

Scratch& scratch() {
    thread_local Scratch instance;
    return instance;
}

std::string error_text(int code) {
    std::array<PCRE2_UCHAR, 256> buffer{};
    pcre2_get_error_message(code, buffer.data(), buffer.size());
    return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

Regex::Regex(std::string_view pattern, const std::string& place) : place_(place) {
    const std::string translated = oniguruma_to_pcre2(pattern, place);
    int error = 0;
    PCRE2_SIZE offset = 0;
    const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(pcre2_compile_context_create(nullptr),
                                                                                                &pcre2_compile_context_free);
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
    pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                     PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset, context.get());
    if (!code) throw_error(ExitCode::bad_data, "{}: regular expression \"{}\": {}", place, pattern, error_text(error));
    code_ = std::shared_ptr<const void>(code, [](const void* owned) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(owned))); });
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without JIT the interpreter matches the same
}

Regex Regex::of_literal(const std::string& text, const std::string& place) {
    Regex regex(escape_literal(text), place);
    regex.literal_ = text;
    return regex;
}

void Regex::find_all(std::string_view text, std::vector<Match>& matches) const {
    if (!literal_.empty()) {
        std::size_t behind = 0;
        for (std::size_t at = text.find(literal_); at != std::string_view::npos; at = text.find(literal_, behind)) {
            if (behind < at) matches.push_back({behind, at, false});
            behind = at + literal_.size();
            matches.push_back({at, behind, true});
        }
        if (behind < text.size()) matches.push_back({behind, text.size(), false});
        return;
    }
    Scratch& work = scratch();
    const auto* code = static_cast<const pcre2_code*>(code_.get());
    const PCRE2_SIZE* found = pcre2_get_ovector_pointer(work.data);
    std::size_t from = 0, covered = 0;
    while (from <= text.size()) {
        const int rc = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, PCRE2_NO_UTF_CHECK, work.data, work.context);
        if (rc == PCRE2_ERROR_NOMATCH) break;
        if (rc < 0) throw_error(ExitCode::bad_data, "{}: matching a text of {} bytes: {}", place_, text.size(), error_text(rc));
        const std::size_t begin = found[0], end = found[1];
        const bool empty = begin == end;
        if (!empty || matches.empty() || begin != covered) {
            if (covered < begin) matches.push_back({covered, begin, false});
            matches.push_back({begin, end, true});
            covered = end;
        }
        from = !empty ? end : end < text.size() ? end + character_size(text[end]) : end + 1;
    }
    if (covered < text.size()) matches.push_back({covered, text.size(), false});
}

}  // namespace temper::tok
