#include "train/config_check.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "io/nearest.h"
#include "kernels/error.h"
#include "model/lora_start.h"
#include "train/losses/preference.h"
#include "train/losses/unpaired.h"

namespace temper {
namespace {

class Checker {
  public:
    Checker(const Config& config, const Settings& settings, TrainKind kind, const std::string& place)
        : config_(config), settings_(settings), kind_(kind), place_(place) {}

    void run() const {
        check_data();
        check_quantization();
        check_lora();
        check_schedule();
        check_evaluation();
        check_dpo();
        check_tracking(config_.tracking);
    }

  private:
    [[noreturn]] void fail(const std::string& path, const std::string& what) const {
        throw_error(ExitCode::usage, "{}: {}: {}", settings_.where(path), path, what);
    }

    [[noreturn]] void fail_missing(const std::string& path, const std::string& expected) const {
        throw_error(ExitCode::usage, "{}: {}: expected {}, nothing is given", settings_.was_set(path) ? settings_.where(path) : place_, path,
                    expected);
    }

    void check_data() const {
        if (config_.model.empty()) fail_missing("model", "a Hugging Face directory or a .gguf file");
        if (config_.data.train.empty()) fail_missing("data.train", "a file of rows");
        check_files("data.train", config_.data.train);
        check_files("data.eval", config_.data.eval);
        const double held_out = config_.data.val_size;
        if (held_out > 0 && !config_.data.eval.empty())
            fail("data.val_size", "data.eval is given too: hold rows out of data.train, or give rows of their own, not both");
        if (held_out >= 1 && held_out != std::floor(held_out))
            fail("data.val_size", fmt::format("expected whole rows, or a ratio below 1, found {}", held_out));
    }

    void check_quantization() const {
        if (config_.bnb_4bit_use_double_quant && !config_.load_in_4bit)
            fail("bnb_4bit_use_double_quant", "nothing is quantised: set load_in_4bit, or leave the setting out");
        if (config_.load_in_fp8 && config_.load_in_4bit) fail("load_in_fp8", "load_in_4bit is given too: weights have one form, give one of them");
        const bool anew = config_.load_in_4bit || config_.load_in_fp8;
        if (config_.keep_quantized && anew)
            fail("keep_quantized", fmt::format("{} quantises anew what keep_quantized would leave as it is: give one of them",
                                               config_.load_in_4bit ? "load_in_4bit" : "load_in_fp8"));
        const std::string& model = config_.model;
        if (config_.keep_quantized && !(model.size() > 5 && model.compare(model.size() - 5, 5, ".gguf") == 0))
            fail("keep_quantized", fmt::format("'{}' is no .gguf file; a model that bitsandbytes has quantised stays so without the setting, and "
                                               "load_in_4bit or load_in_fp8 quantises any model",
                                               model));
        const std::string& init = config_.lora.init_lora_weights;
        if ((anew || config_.keep_quantized) && init != "true" && init != "gaussian")
            fail("lora.init_lora_weights",
                 fmt::format("{} changes the weights that it starts from, which stay quantised; take true or gaussian", init));
    }

    void check_files(const std::string& path, const std::vector<DataFile>& files) const {
        static const std::vector<std::string> columns = {
            "prompt",  "completion", "messages",  "conversations",        "text",   "instruction", "input", "output", "system",
            "history", "tools",      "documents", "chat_template_kwargs", "chosen", "rejected",    "label", "role",   "content"};
        for (const DataFile& file : files) {
            if (file.max_rows == 0) fail(path, fmt::format("{}: max_rows 0 takes no row; -1 takes all", file.path));
            for (const auto& [ours, theirs] : file.columns) {
                if (std::find(columns.begin(), columns.end(), ours) != columns.end()) continue;
                const std::string nearest = nearest_name(ours, columns);
                fail(path,
                     fmt::format("{}: columns: unknown column \"{}\"; {}", file.path, ours,
                                 nearest.empty() ? fmt::format("known are {}", fmt::join(columns, ", ")) : fmt::format("did you mean {}?", nearest)));
            }
        }
        for (auto file = files.begin(); file != files.end(); ++file)
            for (auto other = files.begin(); other != file; ++other)
                if (other->path == file->path) fail(path, fmt::format("{} is listed twice; give it a weight instead", file->path));
    }

    void check_lora() const {
        if (config_.lora.target_modules.empty())
            fail("lora.target_modules", "no layer is named, nothing would be trained; all-linear takes every one");
        const double dropout = config_.lora.lora_dropout;
        if (dropout > 0.0 && (dropout < 0.001 || dropout > 0.99))
            fail("lora.lora_dropout", fmt::format("expected 0, or 0.001 to 0.99: masks are drawn with 16 bits; found {}", dropout));
        check_init_adapter();
        const std::string& init = config_.lora.init_lora_weights;
        if (!known_lora_start(init))
            fail("lora.init_lora_weights",
                 fmt::format("expected one of true, gaussian, pissa, pissa_niter_N (as pissa_niter_16), olora, found {}", init));
    }

    // An adapter to start from brings its own shape; a setting that says otherwise would be lost.
    void check_init_adapter() const {
        if (!config_.lora.init_adapter) return;
        const LoraConfig& lora = config_.lora;
        const std::pair<const char*, bool> given[] = {{"use_dora", lora.use_dora},
                                                      {"use_rslora", lora.use_rslora},
                                                      {"init_lora_weights", lora.init_lora_weights != "true"},
                                                      {"rank_pattern", !lora.rank_pattern.empty()},
                                                      {"alpha_pattern", !lora.alpha_pattern.empty()},
                                                      {"exclude_modules", !lora.exclude_modules.empty()},
                                                      {"layers_to_transform", !lora.layers_to_transform.empty()},
                                                      {"layers_pattern", !lora.layers_pattern.empty()},
                                                      {"modules_to_save", !lora.modules_to_save.empty()},
                                                      {"ensure_weight_tying", lora.ensure_weight_tying},
                                                      {"new_tokens", !lora.new_tokens.empty()}};
        for (const auto& [name, is_given] : given)
            if (is_given)
                fail(std::string("lora.") + name, "lora.init_adapter brings its own adapter_config.json, which says this; leave the setting out");
    }

    void check_schedule() const {
        const TrainingConfig& train = config_.train;
        if (train.max_steps == 0) fail("train.max_steps", "0 steps train nothing; -1 leaves the end to num_train_epochs");
        const double warmup = train.warmup_steps;
        if (settings_.key_of("train.warmup_steps").ends_with("warmup_ratio") && warmup >= 1)
            fail("train.warmup_steps", fmt::format("warmup_ratio {} is not below 1; warmup_steps takes steps", warmup));
        if (warmup >= 1 && warmup != std::floor(warmup))
            fail("train.warmup_steps", fmt::format("expected whole steps, or a ratio below 1, found {}", warmup));
        check_schedule_numbers();
    }

    void check_schedule_numbers() const {
        static const std::map<std::string, std::vector<std::string>> known = {
            {"linear", {}},
            {"cosine", {"num_cycles"}},
            {"cosine_with_min_lr", {"num_cycles", "min_lr", "min_lr_rate"}},
            {"constant", {}},
            {"constant_with_warmup", {}},
            {"wsd", {"num_decay_steps", "min_lr_ratio", "num_cycles"}},
            {"polynomial", {"lr_end", "power"}},
            {"inverse_sqrt", {"timescale"}},
        };
        const std::string path = "train.lr_scheduler_kwargs";
        const std::string& type = config_.train.lr_scheduler_type;
        const auto& numbers = config_.train.lr_scheduler_kwargs;
        const std::vector<std::string>& names = known.at(type);
        for (const auto& [name, value] : numbers) {
            if (std::find(names.begin(), names.end(), name) == names.end())
                fail(path, fmt::format("{} is no number of {}; {}", name, type,
                                       names.empty() ? "it takes none" : fmt::format("it takes {}", fmt::join(names, ", "))));
            if (value < 0) fail(path, fmt::format("{}: expected a number >= 0, found {}", name, value));
        }
        if (type == "cosine_with_min_lr" && numbers.count("min_lr") + numbers.count("min_lr_rate") != 1)
            fail(path, "cosine_with_min_lr needs one of min_lr and min_lr_rate");
        if (const auto end = numbers.find("lr_end");
            end != numbers.end() && config_.train.learning_rate && end->second >= *config_.train.learning_rate)
            fail(path, fmt::format("lr_end: expected less than the learning rate of {}, found {}", *config_.train.learning_rate, end->second));
        if (type == "wsd" && numbers.count("num_decay_steps") == 0) fail(path, "wsd needs num_decay_steps");
    }

    void check_evaluation() const {
        const TrainingConfig& train = config_.train;
        if (train.eval_steps > 0 && config_.data.eval.empty() && config_.data.val_size == 0)
            fail("train.eval_steps", "evaluation needs data.eval, nothing is given there; data.val_size holds rows out of data.train");
        if (train.early_stopping_patience > 0 && train.eval_steps == 0)
            fail("train.early_stopping_patience", "early stopping needs evaluations: set data.eval and train.eval_steps");
        if (train.load_best_model_at_end && train.eval_steps == 0)
            fail("train.load_best_model_at_end", "the best model is found by evaluations: set data.eval and train.eval_steps");
        std::vector<std::string> metrics = {"eval_loss", "eval_mean_token_accuracy"};
        if (kind_ == TrainKind::dpo) metrics = {"eval_loss", "eval_rewards/accuracies", "eval_rewards/margins"};
        if (kind_ == TrainKind::dpo && is_unpaired(config_.dpo)) metrics = {"eval_loss"};  // the others need rows of both labels
        if (std::find(metrics.begin(), metrics.end(), train.metric_for_best_model) == metrics.end())
            fail("train.metric_for_best_model", fmt::format("expected one of {}, found {}", fmt::join(metrics, ", "), train.metric_for_best_model));
    }

    void check_dpo() const {
        const PreferenceFault fault = preference_fault(config_.dpo);
        if (!fault.setting.empty()) fail("dpo." + fault.setting, fault.message);
        if (config_.dpo.reference == "init_adapter" && !config_.lora.init_adapter)
            fail("dpo.reference", "init_adapter: lora.init_adapter gives none; base is the model itself");
        if (kind_ == TrainKind::dpo && !config_.lora.modules_to_save.empty())
            fail("lora.modules_to_save", "dpo trains adapters alone: embedding and head belong to the reference, too");
        if (kind_ == TrainKind::dpo && !config_.lora.new_tokens.empty())
            fail("lora.new_tokens", "dpo trains no embedding that could learn them; teach them by sft and merge");
        if (kind_ == TrainKind::dpo && config_.dpo.loss_type[0] == "kto" && config_.train.global_batch_size < 2)
            fail("train.global_batch_size", "kto measures rewards from other rows of the step: expected at least 2");
    }

    const Config& config_;
    const Settings& settings_;
    TrainKind kind_;
    const std::string& place_;
};

std::int64_t count_of(const Settings::Outside& given, const std::string& name) {
    std::int64_t value = 0;
    const char* end = given.text.data() + given.text.size();
    const auto [stop, error] = std::from_chars(given.text.data(), end, value);
    if (error != std::errc() || stop != end || value < 1 || value > 1000000)
        throw_error(ExitCode::usage, "{}: {}: expected train.global_batch_size, found {} {}", given.where, name, name, given.text);
    return value;
}

}  // namespace

// A step is global_batch_size rows over all ranks, so that ranks change no number: sizes a device say it only together with the rank count.
void refuse_batch_sizes(const Settings& settings) {
    const auto& outside = settings.outside();
    std::string factors, where;
    std::int64_t rows = 1;
    const auto take = [&](const std::string& name, const char* reference_default) {
        const auto found = outside.find(name);
        const bool given = found != outside.end();
        const std::int64_t value = given ? count_of(found->second, name) : reference_default == nullptr ? 1 : std::stoll(reference_default);
        if (!given && reference_default == nullptr) return;
        rows *= value;
        factors += fmt::format("{}{} {}{}", factors.empty() ? "" : " x ", name, value, given ? "" : " (TRL's default)");
        if (given && where.empty()) where = fmt::format("{}: {}", found->second.where, name);
    };
    const bool axolotl = outside.count("micro_batch_size") != 0;
    take(axolotl ? "micro_batch_size" : "per_device_train_batch_size", "8");
    take("gradient_accumulation_steps", nullptr);
    if (where.empty()) return;
    throw_error(ExitCode::usage,
                "{}: a step's size is train.global_batch_size, over all ranks. {} is {} rows on each rank: set train.global_batch_size to {} x "
                "ranks ({} on one rank, {} on two)",
                where, factors, rows, rows, rows, 2 * rows);
}

void check_config(const Config& config, const Settings& settings, TrainKind kind, const std::string& place) {
    Checker(config, settings, kind, place).run();
}

}  // namespace temper
