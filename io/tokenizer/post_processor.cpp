#include "io/tokenizer/post_processor.h"

#include "kernels/error.h"

namespace temper::tok {

namespace {

void surround(Surroundings& all, const std::vector<std::int32_t>& before, const std::vector<std::int32_t>& after) {
    all.before.insert(all.before.begin(), before.begin(), before.end());
    all.after.insert(all.after.end(), after.begin(), after.end());
}

std::vector<std::int32_t> read_ids(const JsonSection& section, std::int64_t id_limit) {
    const Json* ids = section.find("ids");
    if (!ids || !ids->is_array()) section.refuse("ids", "expected an array");
    std::vector<std::int32_t> result;
    for (const Json& id : *ids) result.push_back(static_cast<std::int32_t>(section.integer_of("ids", id, 0, id_limit - 1)));
    return result;
}

std::vector<std::int32_t> special_ids(const JsonSection& section, const JsonSection& piece, std::int64_t id_limit) {
    const std::string name = piece.child("SpecialToken").text("id");
    const JsonSection tokens = section.child("special_tokens");
    if (!tokens.find(name)) tokens.refuse(name, "absent, but the template names it");
    return read_ids(tokens.child(name), id_limit);
}

// The token type of a piece, 0 where it says none.
std::int32_t type_of(const JsonSection& piece) {
    const Json* type = piece.find("type_id");
    return type == nullptr ? 0 : static_cast<std::int32_t>(piece.integer_of("type_id", *type, 0, 255));
}

std::vector<PairPiece> read_pair(const JsonSection& section, std::int64_t id_limit) {
    std::vector<PairPiece> pieces;
    int texts = 0;
    for (const JsonSection& piece : section.children("pair")) {
        piece.allow_only({"Sequence", "SpecialToken"});
        PairPiece part;
        if (piece.find("Sequence")) {
            const JsonSection sequence = piece.child("Sequence");
            const bool first = sequence.text("id") == "A";
            if (texts > 1 || first != (texts == 0)) sequence.refuse("id", "expected \"A\" and then \"B\", once each");
            part.kind = first ? PairPiece::Kind::first : PairPiece::Kind::second;
            part.type = type_of(sequence);
            ++texts;
        } else {
            part.ids = special_ids(section, piece, id_limit);
            part.type = type_of(piece.child("SpecialToken"));
        }
        pieces.push_back(std::move(part));
    }
    if (texts != 2) pieces.clear();
    return pieces;
}

void add_template(Surroundings& surroundings, const JsonSection& section, std::int64_t id_limit) {
    section.allow_only({"type", "single", "pair", "special_tokens"});
    if (section.find("pair")) surroundings.pair = read_pair(section, id_limit);
    std::vector<std::int32_t> before, after;
    bool text_seen = false;
    for (const JsonSection& piece : section.children("single")) {
        piece.allow_only({"Sequence", "SpecialToken"});
        if (piece.find("Sequence")) {
            const JsonSection sequence = piece.child("Sequence");
            if (text_seen || sequence.text("id") != "A") sequence.refuse("id", "expected \"A\", once");
            text_seen = true;
            continue;
        }
        const auto ids = special_ids(section, piece, id_limit);
        auto& side = text_seen ? after : before;
        side.insert(side.end(), ids.begin(), ids.end());
    }
    if (!text_seen) section.refuse("single", "no Sequence A");
    surround(surroundings, before, after);
}

// ["</s>", 2]
std::int32_t read_token_pair(const JsonSection& section, const std::string& field, std::int64_t id_limit) {
    const Json* pair = section.find(field);
    if (!pair || !pair->is_array() || pair->size() != 2) section.refuse(field, "expected [token, id]");
    return static_cast<std::int32_t>(section.integer_of(field, (*pair)[1], 0, id_limit - 1));
}

using Kind = PairPiece::Kind;

// [CLS] first [SEP] second [SEP], the second text and its end of type 1.
std::vector<PairPiece> bert_pair(std::int32_t start, std::int32_t end) {
    return {{Kind::tokens, {start}, 0}, {Kind::first, {}, 0}, {Kind::tokens, {end}, 0}, {Kind::second, {}, 1}, {Kind::tokens, {end}, 1}};
}

// <s> first </s></s> second </s>, all of one type.
std::vector<PairPiece> roberta_pair(std::int32_t start, std::int32_t end) {
    return {{Kind::tokens, {start}, 0}, {Kind::first, {}, 0}, {Kind::tokens, {end, end}, 0}, {Kind::second, {}, 0}, {Kind::tokens, {end}, 0}};
}

}  // namespace

void add_post_processor(Surroundings& surroundings, const JsonSection& section, std::int64_t id_limit) {
    const std::string type = section.type();
    if (type == "Sequence") {
        section.allow_only({"type", "processors"});
        for (const JsonSection& part : section.children("processors")) add_post_processor(surroundings, part, id_limit);
    } else if (type == "ByteLevel") {
        // trim_offsets only: our offsets cover the white space that a token holds.
        section.allow_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    } else if (type == "TemplateProcessing") {
        add_template(surroundings, section, id_limit);
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
        section.allow_only({"type", "sep", "cls", "trim_offsets", "add_prefix_space"});
        const std::int32_t start = read_token_pair(section, "cls", id_limit), end = read_token_pair(section, "sep", id_limit);
        surround(surroundings, {start}, {end});
        surroundings.pair = type == "BertProcessing" ? bert_pair(start, end) : roberta_pair(start, end);
    } else {
        section.refuse("type", "\"" + type + "\" is not a post-processor that is supported");
    }
}

}  // namespace temper::tok
