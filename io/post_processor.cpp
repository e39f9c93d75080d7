#include "io/post_processor.h"

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

void add_template(Surroundings& surroundings, const JsonSection& section, std::int64_t id_limit) {
    section.allow_only({"type", "single", "pair", "special_tokens"});
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
        const std::string name = piece.child("SpecialToken").text("id");
        const JsonSection tokens = section.child("special_tokens");
        if (!tokens.find(name)) tokens.refuse(name, "absent, but the template names it");
        const auto ids = read_ids(tokens.child(name), id_limit);
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
        surround(surroundings, {read_token_pair(section, "cls", id_limit)}, {read_token_pair(section, "sep", id_limit)});
    } else {
        section.refuse("type", "\"" + type + "\" is not a post-processor that is supported");
    }
}

}  // namespace temper::tok
