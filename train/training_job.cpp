#include "train/training_job.h"

#include <algorithm>
#include <cmath>

#include "io/comm/job_ranks.h"
#include "io/durable.h"
#include "io/machine.h"
#include "io/progress.h"
#include "io/result_line.h"
#include "kernels/cuda/runtime.h"
#include "kernels/error.h"
#include "kernels/peak.h"
#include "model/lora_start.h"
#include "runs/report.h"
#include "runs/run_meter.h"
#include "runs/stop_signal.h"
#include "train/algorithms.h"
#include "train/training_run.h"
#include "train/training_setup.h"

namespace temper {
namespace {

// What every rank needs to know of the run that rank 0 chose or made.
struct RunStart {
    bool finished = false;
    std::optional<RunDirectory> directory;  // rank 0
    std::optional<TrainState> checkpoint;   // all ranks
};

TrainState broadcast_state(Comm& comm, std::optional<TrainState>& state, std::int64_t parameters) {
    std::string cursor = comm.rank() == 0 ? state->cursor.dump() : "";
    std::int64_t numbers[2] = {comm.rank() == 0 ? state->step : 0, static_cast<std::int64_t>(cursor.size())};
    comm.broadcast(numbers, sizeof numbers, 0);
    TrainState result;
    if (comm.rank() == 0) result = *state;
    result.step = numbers[0];
    cursor.resize(static_cast<std::size_t>(numbers[1]));
    comm.broadcast(cursor.data(), cursor.size(), 0);
    result.cursor = Json::parse(cursor);
    for (std::vector<float>* values : {&result.parameters, &result.first_moment, &result.second_moment}) {
        values->resize(static_cast<std::size_t>(parameters));
        comm.broadcast(values->data(), values->size() * sizeof(float), 0);
    }
    return result;
}

// Finds the run to continue, or makes a new one, and becomes its owner.
RunStart start_run(const TrainingOptions& options, const TrainingInputs& inputs, Comm& comm, TrainingReporter& reporter) {
    RunStart start;
    std::int64_t kind = 0;  // 1: finished, 2: with a checkpoint
    if (comm.rank() == 0) {
        const Config& config = options.config;
        std::optional<std::int64_t> chosen_step;
        if (options.resume == "auto") {
            start.directory = RunDirectory::find_resumable(config.output_dir, config.run_name, inputs.config_hash);
        } else if (options.resume != "no") {
            std::filesystem::path path = std::filesystem::absolute(options.resume).lexically_normal();
            if (!path.has_filename()) path = path.parent_path();  // "step-00000100/"
            const std::filesystem::path named = path;
            if (std::filesystem::exists(path / "manifest.json")) {
                chosen_step = load_checkpoint(path).step;
                path = path.parent_path().parent_path();
            }
            start.directory = RunDirectory::open(path);
            if (chosen_step && CheckpointStore(start.directory->checkpoints()).path_of(*chosen_step) != named)
                throw_error(ExitCode::usage, "--resume {}: a checkpoint of step {} is called step-{:08} in its run's checkpoints/: name it so",
                            options.resume, *chosen_step, *chosen_step);
            const std::string hash = RunRecord::open(start.directory->record()).fields().value("config_hash", "");
            if (hash != inputs.config_hash)
                throw_error(ExitCode::usage,
                            "--resume {}: that run has another configuration (hash {}, ours {}): resume with its own, or start a new run",
                            options.resume, hash.substr(0, 12), inputs.config_hash.substr(0, 12));
        }
        const bool resumed = start.directory.has_value();
        if (!resumed) start.directory = RunDirectory::create(config.output_dir, config.run_name, inputs.config_hash);
        const auto finished = [&] { return resumed && RunRecord::open(start.directory->record()).status() == "finished"; };
        // Asked again as the owner: an earlier one may have finished it while we waited for it to end.
        bool done = finished();
        if (!done) {
            start.directory->take_ownership();
            done = finished();
        }
        if (done) {
            kind = 1;
        } else {
            CheckpointStore store(start.directory->checkpoints(), start.directory->staging(), [&](const std::string& text) { reporter.warn(text); });
            start.checkpoint = chosen_step ? std::optional(store.load(*chosen_step)) : store.load_newest();
            if (start.checkpoint) kind = 2;
            const auto wanted = static_cast<std::size_t>(inputs.lora.parameters);
            if (start.checkpoint && start.checkpoint->parameters.size() != wanted)
                throw_error(ExitCode::no_checkpoint,
                            "{}: its checkpoint has {} adapter parameters, the model takes {}: start a new run (--resume no)",
                            start.directory->path().string(), start.checkpoint->parameters.size(), wanted);
        }
        reporter.say(fmt::format("{} {}{}", resumed ? "continuing run" : "run", start.directory->path().string(),
                                 start.checkpoint ? fmt::format(" from step {}", start.checkpoint->step) : ""));
    }
    comm.broadcast(&kind, sizeof kind, 0);
    start.finished = kind == 1;
    if (kind == 2) start.checkpoint = broadcast_state(comm, start.checkpoint, inputs.lora.parameters);
    return start;
}

// Of adapters that start from the weights: made anew for every run and after a resume, from what decides it; each module by one rank.
std::vector<float> start_of(const Config& config, const TrainingInputs& inputs, const Stream& stream, Comm& comm) {
    std::vector<float> start;
    if (!starts_from_weights(inputs.lora.settings)) return start;
    start.resize(static_cast<std::size_t>(inputs.lora.parameters));
    const auto stop_here = [] {
        if (stop_requested() != 0)
            throw_error(ExitCode::requeue, "stopped by a signal while the adapter's start was worked out: run again with --resume auto");
    };
    const double begin = Progress::steady_seconds();
    start_from_weights(inputs.lora, inputs.model->weights(), inputs.decoder_options.dtype, static_cast<std::uint64_t>(config.train.seed),
                       stream.threads(), {comm.rank(), comm.size()}, start.data(), stop_here);
    comm.set_patience(Progress::steady_seconds() - begin);
    const std::vector<int> owners = start_owners(inputs.lora, comm.size());
    for (std::size_t i = 0; i < inputs.lora.modules.size(); ++i) {
        const LoraModule& module = inputs.lora.modules[i];
        const int owner = owners[i];
        comm.broadcast(start.data() + module.offset_a, static_cast<std::size_t>(module.rank * module.in) * sizeof(float), owner);
        comm.broadcast(start.data() + module.offset_b, static_cast<std::size_t>(module.out * module.rank) * sizeof(float), owner);
    }
    return start;
}

TrainState initial_state(const Config& config, const TrainingInputs& inputs, const std::vector<float>& start) {
    const LoraLayout& lora = inputs.lora;
    TrainState state;
    state.parameters.resize(static_cast<std::size_t>(lora.parameters));
    if (config.lora.init_adapter) {
        state.parameters = read_adapter(*config.lora.init_adapter, lora);
    } else {
        if (start.empty()) init_lora(lora, static_cast<std::uint64_t>(config.train.seed), state.parameters.data());
        else state.parameters = start;
        init_magnitudes(lora, inputs.model->weights(), inputs.decoder_options.dtype, state.parameters.data());
        init_saved(lora, inputs.model->weights(), state.parameters.data());
    }
    state.first_moment.resize(state.parameters.size());
    state.second_moment.resize(state.parameters.size());
    return state;
}

std::string sha256_of(const std::vector<float>& values) {
    return values.empty() ? std::string() : sha256_hex({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
}

// The program that makes the numbers: its version and commit.
std::string build_of(const TrainingOptions& options) {
    const auto text = [&](const char* name) { return options.versions.count(name) > 0 ? options.versions.at(name) : std::string(); };
    return text("temper") + " " + text("git");
}

// What the data must know before the first step. A signal meanwhile is left to the first step, which stops at once.
void begin_data(const TrainingInputs& inputs, const TrainingOptions& options, Comm& comm, Decoder& decoder, TrainState& state,
                const std::vector<float>& start, TrainingReporter& reporter) {
    decoder.refresh_adapter(View(state.parameters.data(), DType::f32, {inputs.lora.parameters}));
    const std::function<std::vector<float>()> first_parameters = [&] { return initial_state(options.config, inputs, start).parameters; };
    const std::function<std::string()> identity = [&] {
        return fmt::format("model {}\ntokenizer {}\nprogram {}\n", model_sha256(options.config.model), inputs.tokenizer->fingerprint(),
                           build_of(options));
    };
    const std::function<void(const std::string&)> say = [&](const std::string& text) { reporter.say(text); };
    for (TrainingData* data : {inputs.train.get(), inputs.eval.get()})
        if (data != nullptr) data->begin({decoder, comm, options.config, state.parameters, first_parameters, identity, inputs.bounds.tokens, say});
}

// The adapter that answers are compared with is read anew: another one would be another objective.
void check_reference(RunCursor& cursor, const TrainingData& data, bool resumed) {
    if (resumed && cursor.reference != data.reference_identity())
        throw_error(ExitCode::usage,
                    "lora.init_adapter changed since the checkpoint was written, and it is the reference: start a new run (--resume no)");
    cursor.reference = data.reference_identity();
}

void check_resumable(const RunCursor& cursor, const TrainingInputs& inputs, const TrainingOptions& options, const Stream& stream,
                     TrainingReporter& reporter) {
    if (!cursor.model_sample.empty() && cursor.model_sample != model_sample_sha256(options.config.model))
        throw_error(ExitCode::usage, "the weights of model '{}' changed since the checkpoint was written: start a new run (--resume no)",
                    options.config.model);
    if (!cursor.layout.empty() && cursor.layout != layout_sha256(inputs.lora))
        throw_error(ExitCode::usage,
                    "other modules, ranks or scales of the adapter than when the checkpoint was written: start a new run (--resume no)");
    if (cursor.data_hash != inputs.data_hash())
        throw_error(ExitCode::usage,
                    "the training data, tokenizer or chat template changed since the checkpoint was written: start a new run (--resume no)");
    if (cursor.eval_hash && *cursor.eval_hash != inputs.eval_hash())
        throw_error(ExitCode::usage,
                    "the evaluation data changed since the checkpoint was written, and its figures would not compare: start a new run (--resume no)");
    if (cursor.isa != name_of(stream.isa()))
        reporter.warn(fmt::format(
            "the checkpoint was written with {} kernels, this machine runs {}: the same bits are promised within one instruction set only",
            cursor.isa, name_of(stream.isa())));
    if (!cursor.build.empty() && cursor.build != build_of(options))
        reporter.warn(fmt::format("the checkpoint was written by temper {}, this is {}: the same bits are promised within one build only",
                                  cursor.build, build_of(options)));
}

Json result_json(const RunRecord& record, const RunDirectory& directory) {
    const Json& fields = record.fields();
    Json json{{"run_id", directory.id()}, {"run_dir", directory.path().string()}, {"status", record.status()}};
    json["metrics"] = fields.contains("metrics") ? fields.at("metrics") : Json::object();
    return json;
}

// FLOP/s of all ranks at once: ranks that share cores share their peak.
double peak_of_ranks(Comm& comm, Stream& stream, DType dtype) {
    comm.barrier();
    return static_cast<double>(comm.all_sum(static_cast<std::int64_t>(peak_flops(stream, dtype))));
}

int run_training(const TrainingOptions& options, TrainingInputs& inputs, Comm& comm, Stream& stream, RunStart& start, TrainingReporter& reporter) {
    std::optional<RunRecord> record;
    std::optional<RunMeter> meter;
    std::optional<MetricsJournal> journal;
    std::optional<CheckpointStore> store;
    Tracking tracking;
    if (comm.rank() == 0) {
        record = RunRecord::open(start.directory->record());
        fill_record(*record, options, inputs, comm, stream);
        meter.emplace(*record, price_table_of(options));
        record->begin_stage("prepare");
        record->save();
        write_durable(start.directory->config(), inputs.resolved_yaml);
        journal.emplace(start.directory->metrics());
        store.emplace(start.directory->checkpoints(), start.directory->staging(), [&](const std::string& text) { reporter.warn(text); });
    }
    if (store && start.checkpoint) store->keep(start.checkpoint->step);
    try {
        const std::string algorithms = settle_algorithms(inputs, stream, comm, start.checkpoint ? &start.checkpoint->algorithms : nullptr, reporter);
        if (record && !algorithms.empty()) {
            record->set_algorithms(sha256_hex(algorithms));
            record->save();
        }
        const std::vector<float> start_values = start_of(options.config, inputs, stream, comm);
        Decoder::Options decoder_options = inputs.decoder_options;
        if (!start_values.empty()) decoder_options.start = start_values.data();
        Decoder decoder(stream, *inputs.model, inputs.lora, decoder_options);
        release_free_memory();
        RunCursor cursor;
        TrainState state;
        if (start.checkpoint) {
            state = std::move(*start.checkpoint);
            cursor = cursor_from_json(state.cursor);
            check_resumable(cursor, inputs, options, stream, reporter);
            cursor.build = build_of(options);
            if (const std::string now = sha256_of(start_values); !cursor.start.empty() && cursor.start != now) {
                reporter.warn(
                    "what the adapter started from came out in other bits than when the checkpoint was written, by another processor's LAPACK: "
                    "the same bits are promised within one kind of processor only");
                cursor.start = now;
            }
        } else {
            state = initial_state(options.config, inputs, start_values);
            cursor.model_sample = model_sample_sha256(options.config.model);
            cursor.layout = layout_sha256(inputs.lora);
            cursor.data_hash = inputs.data_hash();
            cursor.eval_hash = inputs.eval_hash();
            cursor.isa = name_of(stream.isa());
            cursor.build = build_of(options);
            cursor.start = sha256_of(start_values);
        }
        // A device's memory is all taken before the first step, as planned.
        const bool on_device = stream.device() != Device::cpu;
        if (on_device) stream.scratch(static_cast<std::size_t>(inputs.plan.scratch_bytes));
        begin_data(inputs, options, comm, decoder, state, start_values, reporter);
        check_reference(cursor, *inputs.train, state.step > 0);
        if (journal) {
            // All checks are behind us; what the journal loses now, a later checkpoint would miss.
            store->set_aside_after(state.step);
            journal->cut_back(cursor.metrics_bytes);
            tracking.start(start.directory->path(), options.config.tracking);
        }
        const std::unique_ptr<Objective> objective = make_objective(inputs, options.config, decoder);
        Trainer trainer(decoder, comm, *objective, options.config.train, inputs.peak_learning_rate, options.config.data.shuffle);
        if (on_device) {
            trainer.reserve(inputs.bounds.step_leaves);
            auto exchange = start_exchange(options.config.rank_exchange, comm, stream, inputs.lora.parameters);
            if (comm.size() > 1) reporter.say(fmt::format("ranks exchange gradients over {}", exchange->name()));
            trainer.set_exchange(std::move(exchange));
        }
        const std::int64_t first_step = state.step;
        trainer.set_state(std::move(state));  // a second copy would weigh as much as the adapter and its moments
        TrainingRun run({options, comm, trainer, decoder, *objective, evaluation_of(inputs, options.config, decoder), *inputs.tokenizer,
                         inputs.chat_template, algorithms, start_values, reporter, start.directory ? &*start.directory : nullptr,
                         store ? &*store : nullptr, journal ? &*journal : nullptr, record ? &*record : nullptr, tracking},
                        cursor, first_step);
        if (journal && first_step > 0) run.restore_metrics(MetricsJournal::read_all(start.directory->metrics()));
        if (record) record->begin_stage("train");
        const bool complete = run.train();
        const std::int64_t peak_device_memory = comm.all_max(static_cast<std::int64_t>(cuda::memory_use().most_device));
        const double peak = complete ? peak_of_ranks(comm, stream, inputs.decoder_options.dtype) : 0.0;
        const std::int64_t peak_memory = comm.all_max(peak_memory_bytes());
        if (comm.rank() == 0) {
            if (complete) run.finish(peak, peak_memory, peak_device_memory);
            meter->add_to(*record);
            record->set_status(complete ? RunStatus::finished : RunStatus::preempted, complete ? 0 : static_cast<int>(ExitCode::requeue),
                               complete ? run.ending() : "stopped by a signal, state saved");
            record->save();
            if (complete) write_report_or_warn(start.directory->path());
            reporter.say(complete ? fmt::format("done: {:.1f} tokens/s, adapter {}", run.tokens_per_second(), start.directory->adapter().string())
                                  : std::string("stopped by a signal; the state is saved: run again with --resume auto"));
            if (options.json) print_result(result_json(*record, *start.directory));
        }
        comm.barrier();
        if (complete) tracking.finish();
        return complete ? 0 : static_cast<int>(ExitCode::requeue);
    } catch (const std::exception& error) {
        if (record) {
            if (meter) meter->add_to(*record);
            const ExitCode code = exit_code_of(error);
            record->set_status(code == ExitCode::requeue ? RunStatus::preempted : RunStatus::failed, static_cast<int>(code), error.what());
            try {
                start.directory->check_owned();  // another owner's record is not ours to write
                record->save();
            } catch (const Error& second) {
                reporter.warn(second.what());  // the first error is the one to report
            }
        }
        throw;
    }
}

}  // namespace

int run_training_job(const TrainingOptions& options) {
    install_stop_signals();  // first: starting MPI takes seconds on a cluster
    const std::unique_ptr<Comm> comm = start_comm();
    TrainingReporter reporter(comm->rank() == 0, options.kind == TrainKind::sft ? "sft" : "dpo");
    return run_on_ranks(*comm, options.json, [&] {
        check_record_options(options);
        Stream stream = open_stream(options.config.device, local_rank(), resolve_threads(options.config.threads), parse_isa(options.config.isa));
        TrainingInputs inputs = read_inputs(options, *comm, stream);
        report_inputs(inputs, reporter);
        check_memory(inputs, options, *comm, stream, reporter);
        comm->barrier();  // no rank loads its weights while another still looks at what is free
        if (options.dry_run) {
            if (options.json && comm->rank() == 0) print_result(dry_run_json(inputs));
            comm->barrier();
            return 0;
        }
        RunStart start = start_run(options, inputs, *comm, reporter);
        if (start.finished) {
            if (comm->rank() == 0) {
                const RunRecord record = RunRecord::open(start.directory->record());
                reporter.say(fmt::format("run {} is finished already", start.directory->path().string()));
                if (options.json) print_result(result_json(record, *start.directory));
            }
            comm->barrier();
            return 0;
        }
        return run_training(options, inputs, *comm, stream, start, reporter);
    });
}

}  // namespace temper
