// The source's keys as they are taken one by one, and what has become of each. Internal to train/.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "io/yaml.h"
#include "train/config.h"
#include "train/config_import.h"

namespace temper {

Json json_of(const YamlNode& node);  // scalars by their YAML 1.1 look
bool is_off(const YamlNode& node);   // null, false, 0, none, no, empty text or an empty collection

// How many rows an optimizer step has in the source.
struct SourceBatch {
    std::int64_t micro = 1, accumulation = 1;
    std::string where;  // of the size, for messages
    bool packed = false;
    bool first_fit = false;      // Axolotl's multipack; else TRL's best fit over 1,000 rows
    std::int64_t row_limit = 0;  // rows in a packed sequence at most; 0 is any number
};
// A figure that is given an epoch, or as a share of all steps: known once the rows are.
struct StepShare {
    std::string key, where, target;
    double each_epoch = 0.0;  // times an epoch, or
    double of_all = 0.0;      // this share of all steps
};

class ImportSheet {
  public:
    ImportSheet(const YamlNode& map, std::string place, const ImportOptions& options);

    struct Taken {
        std::string key;
        const YamlNode* node;
        std::string text() const { return node->text; }
    };
    // The key's value; nothing when it is absent or null. It counts as dealt with from then on.
    std::optional<Taken> take(const std::string& key);
    bool is_taken(const std::string& key) const { return taken_.count(key) != 0; }
    bool is_null(const std::string& key) const;  // it is in the file and says null
    std::optional<std::string> take_text(const std::string& key);
    Taken part(const Taken& owner, const std::string& name, const YamlNode& node) const { return {owner.key + "." + name, &node}; }

    void mapped(const Taken& taken, const std::string& target) { mapped(taken, target, json_of(*taken.node)); }
    void mapped(const Taken& taken, const std::string& target, Json value);
    void listed(const Taken& taken, const std::string& target) { add(ImportItem::Kind::mapped, taken, target, ""); }  // a part of what is set there
    void changed(const Taken& taken, const std::string& target, Json value, const std::string& reason);
    void changed(const Taken& taken, const std::string& reason) { add(ImportItem::Kind::changed, taken, "", reason); }
    void not_needed(const Taken& taken, const std::string& reason) { add(ImportItem::Kind::not_needed, taken, "", reason); }
    void to_do(const Taken& taken, const std::string& reason) { add(ImportItem::Kind::to_do, taken, "", reason); }
    void to_do(const std::string& key, const std::string& where, const std::string& target, const std::string& reason);
    void unsupported(const Taken& taken, const std::string& reason);
    void unsupported(const std::string& key, const std::string& reason);               // of a key that is missing
    void defaulted(const std::string& target, Json value, const std::string& reason);  // unless it is set

    void set(const std::string& target, Json value);
    const Json* find(const std::string& target) const;
    void erase(const std::string& target);
    // The file that stands for a data set: NAME=PATH or NAME/SPLIT=PATH, else its name, with a split other than train behind it.
    std::string path_of(const std::string& data_set, const std::string& split) const;
    bool options_set(const std::string& target) const { return overridden_.count(target) != 0; }
    void override_with(const std::string& target, Json value);  // from the command line: goes before everything

    // The item that set `target` turns unsupported and its setting goes.
    bool revoke(const std::string& target, const std::string& reason);
    std::vector<std::string> left() const;  // keys that nobody took
    std::vector<ImportItem> items() const;  // by line

    TrainKind trains = TrainKind::sft;
    SourceBatch batch;
    std::vector<StepShare> shares;
    Json config = Json::object();
    const ImportOptions& options;

  private:
    void add(ImportItem::Kind kind, const Taken& taken, const std::string& target, const std::string& reason);

    const YamlNode& map_;
    std::string place_;
    std::set<std::string> taken_, overridden_;
    std::vector<std::pair<int, ImportItem>> items_;  // line, item
};

// What is said of keys that several sources know.
namespace reasons {
constexpr const char* memory = "memory alone; the plan decides here";
constexpr const char* speed = "speed alone";
constexpr const char* upload = "nothing is uploaded";
constexpr const char* logs = "metrics.jsonl, run.json and report.html are always written";
constexpr const char* ranks = "ranks are mpirun's or Slurm's, and change no number";
}  // namespace reasons

// Keys that need no thought, one line each.
struct ImportRule {
    enum class Action : std::uint8_t { copy, pass, only_off };
    const char* key;
    Action action;
    const char* text;  // copy: our path; pass: why it is not needed; only_off: why it is not supported where it is on
};
// Those of keys that nobody took before.
void apply_rules(ImportSheet& sheet, const std::vector<ImportRule>& rules);

// What both sources say in the same words.
void import_model(ImportSheet& sheet, const std::string& key);
void import_optimizer(ImportSheet& sheet, const std::string& key);
void import_quantization(ImportSheet& sheet, const std::string& double_quant);  // BitsAndBytesConfig, under the names of its kind
void import_run_name(ImportSheet& sheet, const std::string& key);
void import_special_token(ImportSheet& sheet, const ImportSheet::Taken& taken, const std::string& token);  // eos_token and the like
void import_data_files(ImportSheet& sheet, const std::string& where, const Json& files);                   // into data.train, to_do where not here

const std::vector<ImportRule>& transformers_rules();  // of both
const std::vector<ImportRule>& axolotl_rules();
const char* import_chatml();  // the template that Axolotl calls chatml
// Preference tuning: whether the file is one, by its keys where `wanted` is auto; its keys; and Axolotl's types of rows, false where one is not known.
TrainKind import_kind(const YamlNode& map, bool axolotl, const std::string& wanted);
void import_trl_preferences(ImportSheet& sheet);
void import_axolotl_preferences(ImportSheet& sheet);
bool import_preference_rows(ImportSheet& sheet, const ImportSheet::Taken& type, Json& file, const std::string& target);
void import_trl(ImportSheet& sheet);
void import_axolotl(ImportSheet& sheet);

}  // namespace temper
