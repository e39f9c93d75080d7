#include "eval/eval_job.h"

#include <cstdio>

#include "eval/evaluate.h"
#include "eval/evaluation_run.h"
#include "eval/model_identity.h"
#include "io/comm/algorithms.h"
#include "io/comm/job_ranks.h"
#include "io/durable.h"
#include "io/json_text.h"
#include "io/log.h"
#include "io/machine.h"
#include "io/progress.h"
#include "io/result_line.h"
#include "io/rows/row_source.h"
#include "kernels/error.h"
#include "model/algorithms.h"
#include "model/extended_model.h"
#include "runs/registry.h"
#include "runs/stop_signal.h"

namespace temper {
namespace {

// The last message of a conversation that goes on: its text is the end of what the template gives.                 [transformers 5.23: continue_final_message]
std::string without_end(const std::string& text, const Json& messages) {
    const std::string content = messages.back().at("content").get<std::string>();
    constexpr const char* blank = " \t\r\n\f\v";
    const std::size_t begin = content.find_first_not_of(blank);
    if (begin == std::string::npos) return text;
    const std::string behind = content.substr(begin), inner = behind.substr(0, behind.find_last_not_of(blank) + 1);
    const std::size_t at = text.rfind(inner);
    if (at == std::string::npos) throw_error(ExitCode::bad_data, "chat template: the last message is not in its text, and cannot be continued");
    return text.substr(0, at + (text.compare(at, behind.size(), behind) == 0 ? behind.size() : inner.size()));
}

std::string render(const ChatTemplate& chat, const Json& messages, bool add_generation_prompt) {
    const auto text_of = [&](const Json& turns) {
        const std::string text = chat.render(turns, add_generation_prompt).text;
        return add_generation_prompt ? text : without_end(text, turns);
    };
    try {
        return text_of(messages);
    } catch (const Error&) {
        // Some templates know no system message.
        Json turns = Json::array();
        for (const Json& message : messages)
            if (message.at("role") != "system") turns.push_back(message);
        if (turns.size() == messages.size()) throw;
        return text_of(turns);
    }
}

Json settings_of(const EvalOptions& options) {
    Json config{{"model", options.model}, {"adapter", options.adapter}, {"tasks", options.tasks}, {"dtype", options.dtype}};
    config["limit"] = options.limit ? Json(*options.limit) : Json();
    config["num_fewshot"] = options.num_fewshot ? Json(*options.num_fewshot) : Json();
    config["max_length"] = options.max_length;
    config["bootstrap_iters"] = options.bootstrap_iters;
    config["apply_chat_template"] = options.apply_chat_template;
    config["fewshot_as_multiturn"] = options.fewshot_as_multiturn;
    config["system_instruction"] = options.system_instruction;
    return config;
}

// Each data file once: path to its hash.
std::map<std::string, std::string> data_hashes(const TaskSet& tasks) {
    std::map<std::string, std::string> hashes;
    for (const TaskConfig& task : tasks.tasks)
        for (const auto& [split, files] : task.data_files)
            for (const std::filesystem::path& file : files)
                if (!hashes.contains(file.string())) hashes[file.string()] = rows_sha256(file);
    return hashes;
}

// What decides the numbers.
std::string identity_of(const EvalOptions& options, const TaskSet& tasks, const std::string& model, const std::map<std::string, std::string>& data) {
    Json settings = settings_of(options);
    for (const char* name : {"model", "adapter", "tasks"}) settings.erase(name);
    std::string text = fmt::format("eval\n{}\n{}isa {}\n", settings.dump(), model, name_of(parse_isa(options.isa)));
    for (const TaskConfig& task : tasks.tasks) text += task.fields.dump() + "\n";
    for (const auto& [file, hash] : data) text += hash + "\n";
    return sha256_hex(text);
}

// One line a task and metric, as a table.
void print_table(const Json& results, Console& where) {
    where.line(fmt::format("{:<32} {:<28} {:>10} {:>10}", "task", "metric", "value", "stderr"));
    for (const auto& [task, values] : results.at("results").items())
        for (const auto& [key, value] : values.items()) {
            const std::size_t comma = key.find(',');
            if (comma == std::string::npos || !value.is_number() || key.find("_stderr") != std::string::npos) continue;
            const std::string error_key = key.substr(0, comma) + "_stderr" + key.substr(comma);
            const Json error = values.value(error_key, Json());
            where.line(fmt::format("{:<32} {:<28} {:>10.4f} {:>10}", task, key, value.get<double>(),
                                   error.is_number() ? fmt::format("{:.4f}", error.get<double>()) : "N/A"));
        }
}

Json numbers_of(const Json& results) {
    Json metrics = Json::object();
    for (const auto& [task, values] : results.at("results").items())
        for (const auto& [key, value] : values.items())
            if (value.is_number() && key.find(',') != std::string::npos) metrics[task + "/" + key] = value;
    return metrics;
}

void write_results(const std::filesystem::path& folder, const EvalOptions& options, const Evaluation& evaluation, double seconds) {
    std::filesystem::create_directories(folder);
    Json results = evaluation.results;
    results["config"] = Json{{"model", "temper"},
                             {"model_args", {{"pretrained", options.model}, {"peft", options.adapter}, {"dtype", options.dtype}}},
                             {"limit", options.limit ? Json(*options.limit) : Json()},
                             {"bootstrap_iters", options.bootstrap_iters},
                             {"fewshot_seed", 1234}};
    results["model_name"] = options.model;
    results["total_evaluation_time_seconds"] = std::to_string(seconds);
    for (const TaskSamples& task : evaluation.samples) {
        std::string lines;
        for (const Json& sample : task.samples) lines += json_text(sample) + "\n";
        write_durable(folder / ("samples_" + task.task + ".jsonl"), lines);
    }
    write_durable(folder / "results.json", json_text(results, 2) + "\n");
}

class EvalRun final : public EvaluationRun {
  public:
    EvalRun(const EvalOptions& options, Comm& comm) : EvaluationRun(options, comm), options_(options) {}

  private:
    void load() override {
        tasks_ = load_tasks(options_.tasks, options_.tasks_dir, options_.data);
        adapted_.emplace(open_adapted_model(options_.model, options_.adapter));
        tokenizer_.emplace(adapted_->files().load_tokenizer());
        data_ = data_hashes(tasks_);
    }

    Json config() const override { return settings_of(options_); }
    std::string identity() const override {
        return identity_of(options_, tasks_, model_identity(options_.model, options_.adapter, adapted_->files(), *tokenizer_), data_);
    }

    void begin(JobRecord& job) override {
        for (const auto& [file, hash] : data_) job.record().add_data("eval", file, hash, -1);
        if (!options_.adapter.empty()) add_adapter_data(job.record(), options_.adapter);
    }

    void answer(const std::filesystem::path& parts) override {
        evaluation_ = evaluate_with(*adapted_, *tokenizer_, std::move(tasks_), parts.string());
    }

    Evaluation evaluate_with(const AdaptedModel& adapted, const Tokenizer& tokenizer, TaskSet tasks, const std::string& answers) {
        const ModelFiles& files = adapted.files();
        EvaluateOptions how;
        how.limit = options_.limit;
        how.num_fewshot = options_.num_fewshot;
        how.bootstrap_iters = options_.bootstrap_iters;
        how.threads = stream().threads();
        how.batch_tokens = options_.batch_tokens;
        how.max_length =
            options_.max_length > 0 ? std::min(options_.max_length, files.config().max_position_embeddings) : files.config().max_position_embeddings;
        how.answers = answers;
        how.end_ids = files.config().eos_ids;
        if (const auto eos = tokenizer.eos_id()) how.end_ids.push_back(*eos);
        how.prompt.multiturn = options_.fewshot_as_multiturn;
        how.prompt.system_instruction = options_.system_instruction;
        std::optional<ChatTemplate> chat;
        if (options_.apply_chat_template) {
            chat.emplace(chat_template_of(tokenizer, options_.model));
            how.prompt.chat_template = [&](const Json& messages, bool add_generation_prompt) {
                return render(*chat, messages, add_generation_prompt);
            };
        }
        const Decoder::Options decoder_options{options_.dtype == "float32" ? DType::f32 : DType::bf16, false, how.max_length};
        follow_rank_0(stream(), comm(), [&] { return chosen_algorithms(stream(), files, adapted.lora, decoder_options); });
        Decoder decoder(stream(), files, adapted.lora, decoder_options);
        if (!adapted.parameters.empty())
            decoder.refresh_adapter(View(const_cast<float*>(adapted.parameters.data()), DType::f32, {adapted.lora.parameters}));
        std::unique_ptr<Progress> progress;
        std::string shown;
        return evaluate(decoder, tokenizer, comm(), std::move(tasks), how, [&](const std::string& what, std::int64_t done, std::int64_t total) {
            if (comm().rank() != 0) return;
            if (what != shown) {
                progress.reset();
                progress = std::make_unique<Progress>("eval: " + what, total);
                shown = what;
            }
            progress->update(done, what == "loglikelihoods" ? done : 0);
        });
    }

    void finish(JobRecord& job, double seconds) override {
        const std::filesystem::path folder = job.directory().eval();
        write_results(folder, options_, evaluation_, seconds);
        for (const TaskSamples& task : evaluation_.samples) job.record().add_artifact("samples", folder / ("samples_" + task.task + ".jsonl"));
        RunPerformance performance;
        performance.seconds = seconds;
        performance.peak_memory_bytes = peak_memory_bytes();
        job.add_output("output", folder / "results.json");
        job.finish(numbers_of(evaluation_.results), performance, true);
        print_table(evaluation_.results, console());
        console().line(fmt::format("temper: results {}", (folder / "results.json").string()));
        if (options_.json) print_result(job.result());
    }

    void show(const RunDirectory& run) override {
        const std::filesystem::path file = run.eval() / "results.json";
        print_table(parse_json(read_file(file), file.string(), {std::size_t(1) << 30, 64}), console());
        console().line(fmt::format("temper: results {}", file.string()));
    }

    const EvalOptions& options_;
    TaskSet tasks_;
    std::optional<AdaptedModel> adapted_;
    std::optional<Tokenizer> tokenizer_;
    std::map<std::string, std::string> data_;  // path to sha256
    Evaluation evaluation_;
};

}  // namespace

int run_eval_job(const EvalOptions& options) {
    install_stop_signals();  // first: starting MPI takes seconds on a cluster
    const std::unique_ptr<Comm> comm = start_comm(job_patience_seconds);
    return run_on_ranks(*comm, options.json, [&] { return EvalRun(options, *comm).run(); });
}

}  // namespace temper
