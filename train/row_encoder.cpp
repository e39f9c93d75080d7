#include "train/row_encoder.h"

#include <algorithm>

#include "kernels/error.h"

namespace temper {
namespace {

std::string text_field(const Json& row, const char* field, const std::string& place) {
    const Json& value = row.at(field);
    if (!value.is_string()) throw_error(ExitCode::bad_data, "{}: '{}' is {}, expected a string", place, field, value.type_name());
    return value.get<std::string>();
}

// Marks that the list `field` of a row of tokens leaves: where it says 0, nothing is learned.
void apply_mask(const Json& row, const char* field, const std::string& place, TokenRow& tokens) {
    if (!row.contains(field) || row.at(field).is_null()) return;
    const Json& mask = row.at(field);
    if (!mask.is_array()) throw_error(ExitCode::bad_data, "{}: '{}' is {}, expected a list of 0 and 1", place, field, mask.type_name());
    if (mask.size() != tokens.ids.size())
        throw_error(ExitCode::bad_data, "{}: {} values of {} for {} input_ids", place, mask.size(), field, tokens.ids.size());
    for (std::size_t i = 0; i < mask.size(); ++i) {
        const bool on = mask[i] == 1 || mask[i] == true;
        if (!on && mask[i] != 0 && mask[i] != false)
            throw_error(ExitCode::bad_data, "{}: '{}'[{}] is {}, expected 0 or 1", place, field, i, mask[i].dump());
        if (!on) tokens.supervised[i] = 0;
    }
}

}  // namespace

RowEncoder::RowEncoder(const Tokenizer& tokenizer, Settings settings)
    : tokenizer_(tokenizer), settings_(std::move(settings)), text_(tokenizer, settings_.model, settings_.chat_template) {}

TokenRow RowEncoder::encode(const Json& row, const std::string& place) {
    if (!row.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", place, row.type_name());
    if (row.contains("input_ids")) return take_tokens(row, place);
    if (row.contains("prompt") && row.contains("completion")) {
        const Json &prompt = row.at("prompt"), &completion = row.at("completion");
        if (prompt.is_string() && completion.is_string()) return encode_prompt_completion(prompt.get<std::string>(), completion.get<std::string>());
        if (prompt.is_array() && completion.is_array()) return encode_conversation(row, place);
        throw_error(ExitCode::bad_data, "{}: 'prompt' is {} and 'completion' is {}: expected two strings or two lists of messages", place,
                    prompt.type_name(), completion.type_name());
    }
    if (row.contains("messages")) return encode_messages(row.at("messages"), row, place);
    if (row.contains("text")) return encode_text(text_field(row, "text", place));
    std::string fields;
    for (const auto& [name, value] : row.items()) fields += (fields.empty() ? "" : ", ") + name;
    throw_error(ExitCode::bad_data, "{}: no known kind of row: expected prompt + completion, messages, or text; found fields {}", place,
                fields.empty() ? "none" : fields);
}

TokenRow RowEncoder::take_tokens(const Json& row, const std::string& place) const {
    TokenRow result;
    result.ids = token_ids(row, "input_ids", place);
    result.supervised.assign(result.ids.size(), 1);
    if (!row.contains("labels")) {
        if (settings_.completion_only_loss) apply_mask(row, "completion_mask", place, result);
        apply_mask(row, "assistant_masks", place, result);
        return result;
    }
    const std::vector<std::int32_t> labels = token_ids(row, "labels", place, -100);
    if (labels.size() != result.ids.size())
        throw_error(ExitCode::bad_data, "{}: {} labels for {} input_ids", place, labels.size(), result.ids.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] != -100 && labels[i] != result.ids[i])
            throw_error(ExitCode::bad_data, "{}: 'labels'[{}] is {}, expected its input_id {} or -100", place, i, labels[i], result.ids[i]);
        result.supervised[i] = labels[i] == -100 ? 0 : 1;
    }
    return result;
}

TokenRow RowEncoder::encode_text(const std::string& text) const {
    TokenRow row;
    row.ids = text_.plain(text_.with_end(text));
    row.supervised.assign(row.ids.size(), 1);
    return row;
}

// Prompt tokens are the longest common prefix of the prompt alone and the whole: a token that straddles the border is supervised.
TokenRow RowEncoder::with_prompt_masked(const std::vector<std::int32_t>& prompt, std::vector<std::int32_t> full) const {
    TokenRow row;
    row.supervised.assign(full.size(), 1);
    if (settings_.completion_only_loss) std::fill_n(row.supervised.begin(), common_prefix(prompt, full), std::uint8_t{0});
    row.ids = std::move(full);
    return row;
}

TokenRow RowEncoder::encode_prompt_completion(const std::string& prompt, const std::string& completion) const {
    return with_prompt_masked(text_.plain(prompt), text_.plain(prompt + text_.with_end(completion)));
}

TokenRow RowEncoder::encode_conversation(const Json& row, const std::string& place) {
    const Json &prompt = row.at("prompt"), &completion = row.at("completion");
    check_messages(prompt, place, "prompt");
    check_messages(completion, place, "completion");
    Json whole = prompt;
    for (const Json& message : completion) whole.push_back(message);
    TokenRow result = with_prompt_masked(text_.conversation(prompt, true, row, place), text_.conversation(whole, false, row, place));
    if (!settings_.assistant_only_loss) return result;
    // Both masks hold: the assistant's turns of the completion.
    const TokenRow turns = encode_messages(whole, row, place);
    for (std::size_t i = 0; i < result.supervised.size(); ++i) result.supervised[i] &= turns.supervised[i];
    return result;
}

TokenRow RowEncoder::encode_messages(const Json& messages, const Json& row_fields, const std::string& place) {
    check_messages(messages, place, "messages");
    const ChatTemplate::Rendered rendered = text_.render(messages, false, row_fields, place);
    TokenRow row;
    if (!settings_.assistant_only_loss) {  // without offsets, the short way
        row.ids = tokenizer_.encode(rendered.text, false);
        row.supervised.assign(row.ids.size(), 1);
        return row;
    }
    const Tokenizer::Encoding encoding = tokenizer_.encode_with_offsets(rendered.text, false);
    row.ids = encoding.ids;
    row.supervised.assign(row.ids.size(), 0);
    if (!text_.chat_template().has_generation_blocks())
        throw_error(
            ExitCode::bad_data,
            "{}: data.assistant_only_loss needs a chat template with {{% generation %}} blocks around what the assistant writes, and {} has none; "
            "give one that has with data.chat_template (TRL's chat_templates/*_training.jinja are such), or use prompt + completion rows",
            place, settings_.chat_template.empty() ? fmt::format("the one of '{}'", settings_.model) : "data.chat_template");
    for (const auto& [begin, end] : rendered.generated)
        for (std::size_t i = 0; i < row.ids.size(); ++i)
            if (encoding.offsets[i].first < end && encoding.offsets[i].second > begin) row.supervised[i] = 1;
    return row;
}

}  // namespace temper
