// The forms of preference rows, each turned into one of those that PreferenceEncoder reads. Internal to train/.
//   pairs:     prompt + chosen + rejected, as texts or as lists of messages; or prompt_ids + chosen_ids + rejected_ids
//   unpaired:  the same, or prompt + completion + label, prompt_ids + completion_ids + label
#pragma once
#include <string>

#include "train/data_request.h"
#include "train/row_forms.h"

namespace temper {

// Where the prompt stands is DataFile::format's to say: with auto it is the first there is of prompt, messages, conversations and instruction
// (Alpaca); where none is, chosen and rejected hold it both, and it is their common beginning, as TRL extracts it. A prompt text beside whole
// conversations repeats their beginning and is left out. An answer may be a text, one message, or a list of messages. Of a conversation with a
// label alone, the assistant's last turns are the completion. bad_data opening with `place`.
FormedRow form_preference_row(Json row, const std::string& format, RowKind kind, bool has_template, const std::string& place);

}  // namespace temper
