#include "train/config_import.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>

#include "io/rows/row_source.h"
#include "io/yaml.h"
#include "kernels/error.h"
#include "model/model_files.h"
#include "train/config.h"
#include "train/config_fields.h"
#include "train/dataset_build.h"
#include "train/import_sheet.h"
#include "train/losses/unpaired.h"
#include "train/packing.h"
#include "train/preference_build.h"

namespace temper {
namespace {

constexpr std::int64_t sample_rows = 20000;  // of each file, for figures that depend on the rows

bool is_axolotl(const YamlNode& map, const std::string& place, const std::string& from) {
    if (from != "auto") return from == "axolotl";
    for (const char* name : {"base_model", "micro_batch_size", "sequence_len", "num_epochs"})
        if (map.find(name) != nullptr) return true;
    for (const char* name : {"model_name_or_path", "dataset_name", "dataset_mixture", "per_device_train_batch_size", "use_peft"})
        if (map.find(name) != nullptr && map.find("finetuning_type") == nullptr) return false;
    throw_error(
        ExitCode::usage,
        "{}: neither a configuration of TRL (model_name_or_path, dataset_name ...) nor of Axolotl (base_model, datasets ...); --from says which "
        "it is",
        place);
}

// A setting's full path: as it is, or where one section alone has that last name.
std::string full_path(const std::string& key) {
    Config config;
    Fields fields;
    config.visit(fields);
    if (fields.find(key) != nullptr) return key;
    for (const auto& [alias, path] : fields.aliases())
        if (alias == key) return path;
    for (const Field& field : fields.all())
        if (field.name() == key) return field.path;
    return key;
}

// NAME=PATH stands for a data set of the file; everything else is a setting of ours.
void apply_overrides(ImportSheet& sheet, const YamlNode& map, const std::string& place) {
    const std::function<bool(const YamlNode&, const std::string&)> holds = [&](const YamlNode& node, const std::string& name) {
        if (node.kind == YamlNode::Kind::scalar) return node.text == name || (!node.text.empty() && name.starts_with(node.text + "/"));
        return std::any_of(node.values.begin(), node.values.end(), [&](const YamlNode& value) { return holds(value, name); });
    };
    for (const std::string& word : sheet.options.overrides) {
        const std::size_t equals = word.find('=');
        const std::string key = word.substr(0, equals);
        if (equals == std::string::npos) throw_error(ExitCode::usage, "command line: expected key=value or NAME=PATH, found \"{}\"", word);
        Config config;
        Fields fields;
        config.visit(fields);
        if (fields.find(full_path(key)) == nullptr) {
            if (holds(map, key)) continue;
            throw_error(ExitCode::usage, "command line: {}: no setting, and no data set of {} has that name", word, place);
        }
        Json value = json_of(parse_yaml(word.substr(equals + 1), "command line: " + word));
        sheet.override_with(full_path(key), std::move(value));
    }
}

// Rows as they would be trained on, or nothing where model or data are not here.
class Measured {
  public:
    Measured(const Config& config, TrainKind trains) {
        if (!std::filesystem::exists(config.model)) return;
        for (const DataFile& file : config.data.train)
            if (!std::filesystem::exists(file.path)) return;
        const Tokenizer tokenizer =
            std::filesystem::is_directory(config.model) ? Tokenizer::from_directory(config.model) : ModelFiles(config.model).load_tokenizer();
        DataRequest request;
        request.files = config.data.train;
        for (DataFile& file : request.files) file.max_rows = file.max_rows < 0 ? sample_rows : std::min(file.max_rows, sample_rows);
        request.role = "train";
        request.sample = true;
        request.model = config.model;
        request.max_length = config.data.max_length;
        request.on_overlong = config.data.on_overlong == "fail" ? "truncate" : config.data.on_overlong;
        request.chat_template = chat_template_text(config.data);
        if (trains == TrainKind::dpo) request.kind = is_unpaired(config.dpo) ? RowKind::unpaired : RowKind::pairs;
        const TokenTable sample =
            trains == TrainKind::dpo ? tokenize_preferences(request, tokenizer, [] {}) : tokenize_rows(request, tokenizer, [] {});
        for (std::size_t i = 0, lists = static_cast<std::size_t>(sample.lists_of_row); i + lists < sample.offsets.size(); i += lists)
            lengths.push_back(sample.offsets[i + lists] - sample.offsets[i]);
        count_all(config, sample);
    }

    explicit operator bool() const { return !lengths.empty(); }
    std::string how() const {
        return fmt::format("measured over {} rows{}", lengths.size(), sampled ? fmt::format(", the first {} of each file", sample_rows) : "");
    }

    std::vector<std::int64_t> lengths;
    double rows = 0;  // in an epoch, held-out rows aside
    bool sampled = false;

  private:
    void count_all(const Config& config, const TokenTable& sample) {
        double read = 0;
        for (std::size_t i = 0; i < config.data.train.size(); ++i) {
            const DataFile& file = config.data.train[i];
            if (sample.sources[i].rows < sample_rows) {
                read += static_cast<double>(sample.sources[i].rows);
                continue;
            }
            const auto source = open_rows(file.path);
            std::int64_t count = 0;
            for (Json row; (file.max_rows < 0 || count < file.max_rows) && source->next(row);) ++count;
            sampled = sampled || count > sample_rows;
            read += static_cast<double>(count);
        }
        rows = read * static_cast<double>(lengths.size()) / static_cast<double>(std::max<std::int64_t>(1, sample.report.rows));
        rows -= config.data.val_size < 1 ? std::ceil(config.data.val_size * rows) : config.data.val_size;
    }
};

constexpr const char* unknown_key = "not known here";

class Import {
  public:
    Import(const YamlNode& map, const std::string& place, const ImportOptions& options) : place_(place), sheet_(map, place, options) {
        axolotl_ = is_axolotl(map, place, options.from);
        sheet_.trains = import_kind(map, axolotl_, options.trainer);
        apply_overrides(sheet_, map, place);
        if (axolotl_) import_axolotl(sheet_);
        else import_trl(sheet_);
        for (const std::string& name : sheet_.left())
            if (const auto taken = sheet_.take(name)) {
                if (is_off(*taken->node)) sheet_.not_needed(*taken, "off");
                else sheet_.unsupported(*taken, unknown_key);
            }
    }

    bool knows(const std::string& key) const {
        const std::vector<ImportItem> items = sheet_.items();
        return std::any_of(items.begin(), items.end(), [&](const ImportItem& item) { return item.key == key && item.reason != unknown_key; });
    }

    ImportResult run() {
        drop_evaluation_without_data();
        ask_for_marked_template();
        revoke_what_is_refused();
        std::optional<Measured> measured;
        if (const auto config = parsed()) {
            const bool wanted = (sheet_.batch.packed && !sheet_.options_set("train.global_batch_size")) || !sheet_.shares.empty();
            if (wanted) measured.emplace(*config, sheet_.trains);
        }
        set_batch(measured);
        set_shares(measured);
        ImportResult result;
        result.source = axolotl_ ? "Axolotl" : "TRL";
        result.items = sheet_.items();
        result.config = sheet_.config;
        result.kind = sheet_.trains;
        result.yaml = fmt::format("# {} of {}, by temper config import; for temper {}.\n", result.source,
                                  std::filesystem::path(place_).filename().string(), result.kind == TrainKind::dpo ? "dpo" : "sft") +
                      to_yaml(sheet_.config);
        return result;
    }

  private:
    // What is counted in steps later stands for itself until then.
    std::string checked_yaml() const {
        Json config = sheet_.config;
        for (const StepShare& share : sheet_.shares) {
            const std::size_t dot = share.target.find('.');
            Json& section = config[share.target.substr(0, dot)];
            if (!section.contains(share.target.substr(dot + 1))) section[share.target.substr(dot + 1)] = 1;
        }
        return to_yaml(config);
    }

    std::optional<Config> parsed() const {
        try {
            return parse_config(checked_yaml(), "imported", {}, sheet_.trains);
        } catch (const Error&) {
            return std::nullopt;  // a model or data are missing: the items say so
        }
    }

    // What our own checks refuse is unsupported by its key: they know best what is to be had.
    void revoke_what_is_refused() {
        for (int round = 0; round < 100; ++round) {
            try {
                parse_config(checked_yaml(), "imported", {}, sheet_.trains);
                return;
            } catch (const Error& error) {
                const std::string message = error.what();
                if (message.find("nothing is given") != std::string::npos) {  // no model or no data: named already, or never there
                    if (message.find(" data.train: ") != std::string::npos && sheet_.find("data.train") == nullptr && round == 0)
                        sheet_.unsupported("data.train", "the file names no data set that can be read");
                    return;
                }
                if (!revoke_named_in(message)) return;
            }
        }
    }

    bool revoke_named_in(const std::string& message) {
        Config config;
        Fields fields;
        config.visit(fields);
        for (const Field& field : fields.all()) {
            const std::size_t at = message.find(" " + field.path + ": ");
            if (at != std::string::npos && sheet_.revoke(field.path, message.substr(at + field.path.size() + 3))) return true;
        }
        return false;
    }

    void drop_evaluation_without_data() {
        const Json* size = sheet_.find("data.val_size");
        const bool held_out = size != nullptr && size->is_number() && size->get<double>() > 0;
        if (held_out || sheet_.find("data.eval") != nullptr) return;
        const Json* steps = sheet_.find("train.eval_steps");
        const auto share = [](const StepShare& s) { return s.target == "train.eval_steps"; };
        const bool wanted = (steps != nullptr && *steps != 0) || std::any_of(sheet_.shares.begin(), sheet_.shares.end(), share);
        std::erase_if(sheet_.shares, share);
        if (!wanted) return;
        sheet_.erase("train.eval_steps");
        for (const char* name : {"train.load_best_model_at_end", "train.early_stopping_patience", "train.metric_for_best_model"}) sheet_.erase(name);
        if (!axolotl_)
            sheet_.to_do("train.eval_steps", "", "train.eval_steps",
                         "evaluation is left out: give data.eval=PATH or data.val_size, and train.eval_steps");
    }

    // TRL swaps in templates of its own and Axolotl looks for the turns' borders; here the template marks what is learned.
    void ask_for_marked_template() {
        const Json* only = sheet_.find("data.assistant_only_loss");
        const Json* model = sheet_.find("model");
        if (only == nullptr || *only != true || sheet_.find("data.chat_template") != nullptr || model == nullptr || !model->is_string()) return;
        const std::filesystem::path directory = model->get<std::string>();
        if (!std::filesystem::exists(directory / "tokenizer.json")) return;
        const auto text = Tokenizer::from_directory(directory).chat_template();
        if (text && ChatTemplate(*text, "", "").has_generation_blocks()) return;
        sheet_.to_do(
            "data.assistant_only_loss", "", "data.chat_template",
            fmt::format("the chat template of {} has no {{% generation %}} blocks: give data.chat_template=FILE.jinja that has", directory.string()));
    }

    void set_batch(const std::optional<Measured>& measured) {
        const SourceBatch& batch = sheet_.batch;
        if (sheet_.options_set("train.global_batch_size")) return;
        const std::int64_t sequences = batch.micro * batch.accumulation * sheet_.options.gpus;
        if (!batch.packed) {
            sheet_.defaulted(
                "train.global_batch_size", sequences,
                fmt::format("{} rows a device x {} accumulated x {} devices (--gpus)", batch.micro, batch.accumulation, sheet_.options.gpus));
            return;
        }
        if (!measured || !*measured) {
            sheet_.unsupported(
                "train.global_batch_size",
                fmt::format("a step is {} packed sequences; how many rows those hold is measured with the model and the data, which are not "
                            "here: give model=DIR and NAME=PATH for the data, or train.global_batch_size=ROWS",
                            sequences));
            return;
        }
        const Json* length = sheet_.find("data.max_length");
        const std::int64_t capacity = length->get<std::int64_t>();
        const PackedRows packed =
            batch.first_fit ? pack_first_fit(measured->lengths, capacity * batch.micro, batch.row_limit) : pack_best_fit(measured->lengths, capacity);
        const std::int64_t each_step = batch.first_fit ? batch.accumulation * sheet_.options.gpus : sequences;
        const auto rows = std::max<std::int64_t>(1, std::llround(packed.mean() * static_cast<double>(each_step)));
        sheet_.defaulted("train.global_batch_size", rows,
                         fmt::format("{:.2f} rows in a packed sequence of {} tokens ({}) x {} sequences a step", packed.mean(),
                                     batch.first_fit ? capacity * batch.micro : capacity, measured->how(), each_step));
    }

    void set_shares(const std::optional<Measured>& measured) {
        const auto config = parsed();
        for (const StepShare& share : sheet_.shares) {
            if (sheet_.options_set(share.target)) continue;
            if (!measured || !*measured || !config || sheet_.find("train.global_batch_size") == nullptr) {
                sheet_.to_do(share.key, "", share.target,
                             fmt::format("{} is counted in steps: with the model and the data here it is worked out, or give {}=STEPS", share.key,
                                         share.target));
                continue;
            }
            const double epoch = std::ceil(measured->rows / static_cast<double>(config->train.global_batch_size));
            const double all = config->train.max_steps > 0 ? static_cast<double>(config->train.max_steps) : epoch * config->train.num_train_epochs;
            const double steps = share.of_all > 0 ? share.of_all * all : epoch / share.each_epoch;
            sheet_.defaulted(share.target, std::max<std::int64_t>(1, std::llround(std::ceil(steps))),
                             fmt::format("{} with {} steps an epoch ({})", share.key, epoch, measured->how()));
        }
    }

    std::string place_;
    ImportSheet sheet_;
    bool axolotl_ = false;
};

}  // namespace

std::string name_of(ImportItem::Kind kind) {
    switch (kind) {
        case ImportItem::Kind::mapped: return "mapped";
        case ImportItem::Kind::changed: return "changed";
        case ImportItem::Kind::defaulted: return "default";
        case ImportItem::Kind::to_do: return "to do";
        case ImportItem::Kind::not_needed: return "not needed";
        case ImportItem::Kind::unsupported: return "unsupported";
    }
    return "";
}

bool ImportResult::complete() const {
    return std::none_of(items.begin(), items.end(), [](const ImportItem& item) { return item.kind == ImportItem::Kind::unsupported; });
}

ImportResult import_config(const std::string& yaml, const std::string& place, const ImportOptions& options) {
    const YamlNode document = parse_yaml(yaml, place);
    if (document.kind != YamlNode::Kind::map) throw_error(ExitCode::usage, "{}: expected \"key: value\" lines, found {}", place, document.describe());
    return Import(document, place, options).run();
}

bool is_trl_key(const std::string& key) {
    const bool plain =
        !key.empty() && std::all_of(key.begin(), key.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
    if (!plain) return false;
    const YamlNode document = parse_yaml(key + ": some", "key");
    for (const char* trainer : {"sft", "dpo"}) {
        ImportOptions options;
        options.from = "trl";
        options.trainer = trainer;
        try {
            if (Import(document, "key", options).knows(key)) return true;
        } catch (const Error&) {
            return true;  // it knows what belongs there, and it is not that
        }
    }
    return false;
}

}  // namespace temper
