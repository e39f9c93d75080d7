#include "retrieval/document.h"

#include <algorithm>

namespace temper {

std::string form_name(TextForm form) {
    switch (form) {
        case TextForm::text: return "text";
        case TextForm::markdown: return "markdown";
        case TextForm::html: return "html";
        case TextForm::code: return "code";
    }
    return "";
}

std::optional<TextForm> form_of_name(const std::string& name) {
    for (const TextForm form : {TextForm::text, TextForm::markdown, TextForm::html, TextForm::code})
        if (form_name(form) == name) return form;
    return std::nullopt;
}

bool is_category_name(const std::string& name) {
    const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
    if (name.empty() || name.size() > 64 || !plain(name[0])) return false;
    return std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace temper
