// What a file of a folder is: the form of its text, or why it is passed over.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "retrieval/document.h"

namespace temper {

struct FileKind {
    TextForm form = TextForm::text;
    bool pdf = false;
    std::string reason;  // empty: taken; else "lock file", "minified", "binary"
};

// By the name alone: what need not be opened.
FileKind kind_of_name(std::string_view path);
// Of a name that may be no file's (an id, a path of a site): only where its ending is one that such files have.
std::optional<TextForm> form_of_ending(std::string_view path);
// By name and content.
FileKind kind_of_file(std::string_view path, std::string_view content);

}  // namespace temper
