// The forms that users' rows have, each turned into one of the four that RowEncoder reads: prompt + completion as texts or as messages,
// messages, text. Internal to train/.
#pragma once
#include <initializer_list>
#include <string>

#include "io/jsonl.h"
#include "train/config.h"

namespace temper {

// The file's names of fields become ours: DataFile::columns. role and content rename inside the messages of a row.
void rename_columns(const DataFile& file, Json& row, const std::string& place);
bool is_optional_column(const std::string& column);  // one of ours that a row may do without

struct FormedRow {
    Json row;
    std::string form;               // for the data report: "messages", "ShareGPT", "Alpaca as messages", ...
    bool prompt_elsewhere = false;  // of preferences: what the answers begin with is the prompt, and it may well stand in a field of another name
};
// By DataFile::format, or with auto by the fields that the row has: input_ids, prompt + completion, messages, conversations, text, instruction +
// output, in this order. from/value messages become role/content, human and gpt become user and assistant; a text "system" beside messages
// goes in front of them unless they begin with one. An Alpaca row becomes a
// conversation where `has_template` and the Stanford prompt elsewhere. bad_data opening with `place`.
FormedRow form_row(Json row, const std::string& format, bool has_template, const std::string& place);

// Pieces of them, for rows of preferences (train/preference_forms.h).
bool has_field(const Json& row, const char* field);  // there, and not null
void need_fields(const Json& row, const std::string& format, std::initializer_list<const char*> fields, const std::string& place);
std::string field_names(const Json& row);  // for messages
Json message_of(const char* role, std::string content);
// from/value messages of these fields, lists or single ones, become role/content; true when there was one.
bool convert_speakers(Json& row, std::initializer_list<const char*> fields, const std::string& place);
void put_system_first(const Json& row, Json& messages, const std::string& place);
Json alpaca_prompt(const Json& row, bool as_messages, const std::string& place);  // a list of messages, or Stanford's text

}  // namespace temper
