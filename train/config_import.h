// Another trainer's configuration in our terms: TRL's (`trl sft --config`: SFTConfig, ModelConfig, ScriptArguments, and the data mixtures of
// the alignment handbook) and Axolotl's. Every key of the file ends in the report, with what became of it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "train/config.h"

namespace temper {

struct ImportItem {
    enum class Kind : std::uint8_t {
        mapped,       // the same setting under our name
        changed,      // another value or meaning; the reason says which
        defaulted,    // not in the file: the source's default, where ours is another
        to_do,        // right as far as it goes; a person has to put something in place
        not_needed,   // changes no number here
        unsupported,  // would change the result, and cannot be had
    };
    Kind kind = Kind::mapped;
    std::string key, where;  // as in the file; where is empty for what is not in it
    std::string target;      // our path, or empty
    std::string reason;
};
std::string name_of(ImportItem::Kind kind);

struct ImportOptions {
    std::string from = "auto";           // auto | trl | axolotl
    std::string trainer = "auto";        // auto | sft | dpo
    std::int64_t gpus = 1;               // data-parallel processes of the source's runs
    std::vector<std::string> overrides;  // key=value of ours; or NAME=PATH, where a data set of the file has that name
    std::vector<std::string> leave_out;  // unsupported keys that are knowingly dropped
};

struct ImportResult {
    std::string source;  // "TRL", "Axolotl"
    TrainKind kind = TrainKind::sft;
    std::vector<ImportItem> items;  // in the order of the file
    Json config;                    // only what is set
    std::string yaml;               // the same with a line on top
    bool complete() const;          // nothing is unsupported
};
// Usage error with the place where the file is no configuration of one of them. What cannot be followed is in the items, not an error.
ImportResult import_config(const std::string& yaml, const std::string& place, const ImportOptions& options);
// Whether TRL's trainers have a key of that name, which this importer says something of.
bool is_trl_key(const std::string& key);

}  // namespace temper
