#include "io/tokenizer/token_decoder.h"

#include <algorithm>

#include "io/tokenizer/text_steps.h"
#include "io/unicode.h"
#include "kernels/error.h"

namespace temper::tok {

namespace {

// The bytes behind the characters of GPT-2's alphabet; a token with any other character stands for its own bytes.
void append_bytes(std::string& bytes, const std::string& token) {
    const std::size_t before = bytes.size();
    for (std::size_t at = 0; at < token.size(); at += character_size(token[at])) {
        const int byte = character_to_byte(decode_character(token, at));
        if (byte < 0) {
            bytes.resize(before);
            bytes += token;
            return;
        }
        bytes.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
    }
}

void byte_level(std::vector<std::string>& tokens) {
    std::string bytes;
    for (const std::string& token : tokens) append_bytes(bytes, token);
    tokens = {replace_invalid_utf8(bytes)};
}

int hexadecimal(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

// Runs of byte tokens become text, or one U+FFFD a byte where they are not valid UTF-8.
void byte_fallback(std::vector<std::string>& tokens) {
    std::vector<std::string> result;
    std::string bytes;
    const auto flush = [&] {
        if (bytes.empty()) return;
        if (find_invalid_utf8(bytes) == std::string_view::npos) result.push_back(bytes);
        else result.insert(result.end(), bytes.size(), "\xef\xbf\xbd");
        bytes.clear();
    };
    for (const std::string& token : tokens) {
        const int byte = fallback_byte(token);
        if (byte >= 0) {
            bytes.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
        } else {
            flush();
            result.push_back(token);
        }
    }
    flush();
    tokens = std::move(result);
}

void fuse(std::vector<std::string>& tokens) {
    std::string all;
    for (const std::string& token : tokens) all += token;
    tokens = {all};
}

DecodeStep replace(Regex pattern, std::string content) {
    return [pattern = std::move(pattern), content = std::move(content)](std::vector<std::string>& tokens) {
        std::vector<Match> matches;
        for (std::string& token : tokens) {
            matches.clear();
            pattern.find_all(token, matches);
            std::string result;
            for (const Match& match : matches) result += match.matched ? content : token.substr(match.begin, match.end - match.begin);
            token = std::move(result);
        }
    };
}

// Up to `start` and `stop` of the character at the ends of each token.
DecodeStep strip(std::string character, std::int64_t start, std::int64_t stop) {
    return [character = std::move(character), start, stop](std::vector<std::string>& tokens) {
        const std::size_t size = character.size();
        for (std::string& token : tokens) {
            std::size_t begin = 0, end = token.size();
            for (std::int64_t i = 0; i < start && token.compare(begin, size, character) == 0; ++i) begin += size;
            for (std::int64_t i = 0; i < stop && end - begin >= size && token.compare(end - size, size, character) == 0; ++i) end -= size;
            token = token.substr(begin, end - begin);
        }
    };
}

DecodeStep metaspace(std::string mark, bool drops_first) {
    return [mark = std::move(mark), drops_first](std::vector<std::string>& tokens) {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const std::string space = i == 0 && drops_first ? "" : " ";
            for (std::size_t at = tokens[i].find(mark); at != std::string::npos; at = tokens[i].find(mark, at + space.size()))
                tokens[i].replace(at, mark.size(), space);
        }
    };
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

// Spaces that English does not write, as the reference's cleanup takes them out of each token.
void clean_up(std::string& token) {
    constexpr std::pair<const char*, const char*> rules[] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                                             {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                                             {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : rules) replace_all(token, from, to);
}

DecodeStep word_piece(std::string prefix, bool cleanup) {
    return [prefix = std::move(prefix), cleanup](std::vector<std::string>& tokens) {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            if (i > 0 && tokens[i].compare(0, prefix.size(), prefix) == 0) tokens[i].erase(0, prefix.size());
            else if (i > 0) tokens[i].insert(0, " ");
            if (cleanup) clean_up(tokens[i]);
        }
    };
}

// The mark of a word's end is a space, but for the last.
DecodeStep word_ends(std::string suffix) {
    return [suffix = std::move(suffix)](std::vector<std::string>& tokens) {
        for (std::size_t i = 0; i < tokens.size(); ++i) replace_all(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
    };
}

// Connectionist temporal classification: repetitions are one, pads nothing.
DecodeStep ctc(std::string pad, std::string delimiter, bool cleanup) {
    return [pad = std::move(pad), delimiter = std::move(delimiter), cleanup](std::vector<std::string>& tokens) {
        tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
        for (std::string& token : tokens) {
            replace_all(token, pad, "");
            if (!cleanup) continue;
            clean_up(token);
            replace_all(token, delimiter, " ");
        }
        tokens.erase(std::remove(tokens.begin(), tokens.end(), std::string()), tokens.end());
    };
}

std::string read_filled(const JsonSection& section, const std::string& field) {
    const std::string text = section.text(field);
    if (text.empty()) section.refuse(field, "empty, expected some text");
    return text;
}

std::string read_character(const JsonSection& section, const std::string& field) {
    const std::string text = section.text(field);
    if (text.empty() || character_size(text[0]) != text.size()) section.refuse(field, "expected one character");
    return text;
}

}  // namespace

int fallback_byte(const std::string& token) {
    if (token.size() != 6 || token.compare(0, 3, "<0x") != 0 || token[5] != '>') return -1;
    if (token[3] == '+') return hexadecimal(token[4]);  // the reference's number parser takes a sign
    const int high = hexadecimal(token[3]), low = hexadecimal(token[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void add_decoder(std::vector<DecodeStep>& steps, const JsonSection& section) {
    const std::string type = section.type();
    if (type == "Sequence") {
        section.allow_only({"type", "decoders"});
        for (const JsonSection& part : section.children("decoders")) add_decoder(steps, part);
    } else if (type == "ByteLevel") {
        section.allow_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
        steps.push_back(byte_level);
    } else if (type == "ByteFallback" || type == "Fuse") {
        section.allow_only({"type"});
        steps.push_back(type == "Fuse" ? fuse : byte_fallback);
    } else if (type == "Replace") {
        section.allow_only({"type", "pattern", "content"});
        steps.push_back(replace(read_pattern(section), section.text("content")));
    } else if (type == "Strip") {
        section.allow_only({"type", "content", "start", "stop"});
        steps.push_back(strip(read_character(section, "content"), section.integer("start", 0, 1 << 20), section.integer("stop", 0, 1 << 20)));
    } else if (type == "WordPiece") {
        section.allow_only({"type", "prefix", "cleanup"});
        steps.push_back(word_piece(section.text("prefix"), section.boolean("cleanup", true)));
    } else if (type == "BPEDecoder") {
        section.allow_only({"type", "suffix"});
        steps.push_back(word_ends(read_filled(section, "suffix")));
    } else if (type == "CTC") {
        section.allow_only({"type", "pad_token", "word_delimiter_token", "cleanup"});
        steps.push_back(ctc(read_filled(section, "pad_token"), read_filled(section, "word_delimiter_token"), section.boolean("cleanup")));
    } else if (type == "Metaspace") {
        section.allow_only({"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"});
        const bool adds = section.boolean("add_prefix_space", true) && section.text_if("prepend_scheme").value_or("always") != "never";
        steps.push_back(metaspace(read_character(section, "replacement"), adds));
    } else {
        section.refuse("type", "\"" + type + "\" is not a decoder that is supported");
    }
}

}  // namespace temper::tok
