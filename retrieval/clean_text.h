// Text as it is kept: well-formed UTF-8 in NFC, lines that end in '\n', no control characters.
#pragma once
#include <string>
#include <string_view>

#include "retrieval/document.h"

namespace temper {

// Bytes of unknown origin as UTF-8: UTF-16 by its byte order mark; where ill-formed bytes outnumber the well-formed characters beyond ASCII the
// bytes are Windows-1252, else each ill-formed sequence becomes U+FFFD. A byte order mark goes.
std::string decode_text(std::string_view bytes);

// Of valid UTF-8. Prose: NFC, spaces of every kind as one ' ', zero-width and direction marks gone (joiners stay: scripts and emoji need them), at
// most one blank line in a row. Markdown keeps what indentation says, and code in it as code is. Code keeps its characters, tabs and blank lines; only line ends and control
// characters are put right.
std::string clean_characters(std::string_view text, TextForm form);

// The whole way of a document: decoded, HTML as Markdown with its title, author and date taken into the metadata, Markdown without front matter
// and comments, characters cleaned. bad_data with the document's place when its HTML cannot be read.
void clean_document(Document& document);

}  // namespace temper
