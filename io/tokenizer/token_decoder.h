// Tokens back to text, by the decoder of tokenizer.json.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "io/json_section.h"

namespace temper::tok {

using DecodeStep = std::function<void(std::vector<std::string>&)>;  // rewrites the list of tokens

// ByteLevel ByteFallback Fuse Replace Strip Metaspace WordPiece BPEDecoder CTC Sequence; bad_data names any other.
void add_decoder(std::vector<DecodeStep>& steps, const JsonSection& section);

// The byte that a token of ByteFallback stands for (<0xNN>), or -1.
int fallback_byte(const std::string& token);

}  // namespace temper::tok
