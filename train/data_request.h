// What rows are wanted of which files, and the hash of everything that decides their tokens.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/tokenizer/tokenizer.h"
#include "train/config.h"

namespace temper {

enum class RowKind : std::uint8_t {
    sft,       // a text, learned where it is marked
    pairs,     // prompt, chosen, rejected
    unpaired,  // prompt, completion, label; pairs become two rows
};

struct DataRequest {
    RowKind kind = RowKind::sft;
    std::vector<DataFile> files;
    std::string role;  // "train" | "eval", for messages
    std::string model;
    std::int64_t max_length = 1024;
    std::string on_overlong;
    bool completion_only_loss = true, assistant_only_loss = false;  // of RowKind::sft
    std::string on_identical = "drop", on_empty = "drop";           // of the other kinds
    std::string chat_template;                                      // source; empty takes the tokenizer's
    double val_size = 0;                                            // data.val_size: above 0 the files are split, and role says which side is wanted
    std::uint64_t val_seed = 0;
    std::vector<std::int32_t> end_ids;
    bool sample = false;  // the files' first rows stand for all: a column that they lack may come later
    std::filesystem::path cache_directory;
};

// Hash of the files' bytes, the tokenizer, the template and every setting that decides tokens or marks. missing_input when a file is not there.
std::string token_cache_key(const DataRequest& request, const Tokenizer& tokenizer);
// What data.chat_template says: the template itself, or the text of the file that it names; empty when it is not given.
std::string chat_template_text(const DataConfig& data);

}  // namespace temper
