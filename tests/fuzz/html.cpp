// A page from the web, recognised, to Markdown, to chunks.
#include "retrieval/chunking.h"
#include "retrieval/clean_text.h"
#include "retrieval/html_marks.h"

#include "tests/fuzz/fuzz.h"

namespace temper {
namespace {

// Four bytes a token, wherever characters end.
std::vector<Embedder::TokenPlace> places(const std::string& text) {
    std::vector<Embedder::TokenPlace> tokens;
    const auto size = static_cast<std::int64_t>(text.size());
    for (std::int64_t at = 0; at < size; at += 4) tokens.push_back({at, std::min(at + 4, size)});
    return tokens;
}

void check(const Document& cleaned) {
    if (find_invalid_utf8(cleaned.text) != std::string::npos || cleaned.text.find('\0') != std::string::npos) __builtin_trap();
    std::size_t covered = 0;
    for (const ChunkRange& range : chunk_ranges(cleaned.text, cleaned.form, {16, 4}, places)) {
        if (range.begin > covered || range.end <= covered || range.end - range.begin > 64) __builtin_trap();
        covered = range.end;
    }
    if (covered != cleaned.text.size()) __builtin_trap();
    chunk_document(cleaned, {16, 4}, places);
}

}  // namespace
}  // namespace temper

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace temper;
    looks_like_html(std::string_view(reinterpret_cast<const char*>(data), size));
    with_paragraphs(std::string_view(reinterpret_cast<const char*>(data), size));
    for (const TextForm form : {TextForm::html, TextForm::markdown, TextForm::text, TextForm::code})
        fuzz_one([&] {
            Document document;
            document.form = form;
            document.place = "page";
            document.text.assign(reinterpret_cast<const char*>(data), size);
            clean_document(document);
            check(document);
        });
    return 0;
}
