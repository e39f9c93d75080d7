// `temper eval`: benchmark tasks and evaluation sets on models.
#include "eval/eval_job.h"

#include <filesystem>
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/job_arguments.h"
#include "eval/set_job.h"
#include "io/text.h"
#include "kernels/error.h"

namespace temper {
namespace {

struct Arguments : EvalOptions {
    std::string task_names, set_files, matrix, ids, tags, baseline, multiturn = "yes";
    std::int64_t most = 0, shots = -1;
};

// What comes with the program: beside it in the build, in share/ where it is installed.
std::filesystem::path own_folder(const char* name) {
    std::error_code ignored;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
    for (const std::filesystem::path& folder : {program / name, program.parent_path() / "share" / "temper" / name})
        if (std::filesystem::is_directory(folder)) return folder;
    return {};
}

// What benchmark tasks alone have.
void refuse_task_settings(const Arguments& a) {
    const Arguments untouched;
    for (const auto& [given, name] : {std::pair{a.shots != untouched.shots, "--num-fewshot"},
                                      {a.max_length != untouched.max_length, "--max-length"},
                                      {a.bootstrap_iters != untouched.bootstrap_iters, "--bootstrap-iters"},
                                      {!a.data.empty(), "--data"},
                                      {!a.tasks_dir.empty(), "--tasks-dir"},
                                      {a.apply_chat_template, "--apply-chat-template"},
                                      {a.multiturn != untouched.multiturn, "--fewshot-as-multiturn"}})
        if (given) throw_error(ExitCode::usage, "eval: {} is for --tasks; an evaluation set says in its file how its rows are asked", name);
}

int run_sets(const Arguments& a) {
    refuse_task_settings(a);
    SetEvalOptions options;
    static_cast<JobOptions&>(options) = a;
    options.dtype = a.dtype;
    options.judges_dir = own_folder("judges").string();
    options.filter = {comma_separated(a.ids), comma_separated(a.tags), a.most};
    if (!a.matrix.empty()) {
        for (const auto& [given, name] : {std::pair{&a.model, "--model"},
                                          {&a.adapter, "--adapter"},
                                          {&a.baseline, "--baseline"},
                                          {&a.system_instruction, "--system-instruction"}})
            if (!given->empty()) throw_error(ExitCode::usage, "eval: {} beside --matrix: the matrix names its systems", name);
        options.matrix_file = a.matrix;
        options.matrix = load_eval_matrix(a.matrix, {});
        return run_set_eval_job(options);
    }
    if (a.model.empty()) throw_error(ExitCode::usage, "eval: --model is missing");
    options.matrix.sets = comma_separated(a.set_files);
    options.matrix.model = a.model;
    EvalSystem system;
    system.name = "model";
    system.model = a.model;
    system.adapter = a.adapter;
    if (!a.system_instruction.empty()) system.system = a.system_instruction;
    options.matrix.systems = {system};
    options.matrix.baseline = system.name;
    if (!a.baseline.empty()) {
        EvalSystem other;
        other.name = options.matrix.baseline = "baseline";
        other.run = a.baseline;
        options.matrix.systems.push_back(other);
    }
    return run_set_eval_job(options);
}

int run(Arguments& a) {
    if (a.most < 0 || a.shots < -1 || a.batch_tokens < 1 || a.bootstrap_iters < 0 || a.max_length < 0)
        throw_error(ExitCode::usage, "eval: --limit, --num-fewshot, --batch-tokens, --bootstrap-iters and --max-length: expected no negative number");
    const int kinds = !a.task_names.empty() + !a.set_files.empty() + !a.matrix.empty();
    if (kinds != 1) throw_error(ExitCode::usage, "eval: give one of --tasks, --sets and --matrix");
    if (a.task_names.empty()) return run_sets(a);
    for (const auto& [given, name] : {std::pair{&a.ids, "--ids"}, {&a.tags, "--tags"}, {&a.baseline, "--baseline"}})
        if (!given->empty()) throw_error(ExitCode::usage, "eval: {} needs evaluation sets, given by --sets or --matrix", name);
    if (a.model.empty()) throw_error(ExitCode::usage, "eval: --model is missing");
    a.tasks = comma_separated(a.task_names);
    if (a.tasks.empty()) throw_error(ExitCode::usage, "eval: --tasks names no task");
    a.fewshot_as_multiturn = a.multiturn == "yes";
    if (a.most > 0) a.limit = a.most;
    if (a.shots >= 0) a.num_fewshot = a.shots;
    if (a.tasks_dir.empty()) a.tasks_dir = own_folder("tasks").string();
    return run_eval_job(a);
}

}  // namespace

void add_eval(Command& temper, const std::vector<std::string>& command_line) {
    auto a = std::make_shared<Arguments>();
    set_up_job(*a, "eval", command_line);
    Command& command =
        temper.command("eval", "Scores models on tasks of lm-evaluation-harness or on evaluation sets; run alone, under mpirun, or in a Slurm job.");
    command.option("--model", a->model, "DIR", "Hugging Face directory, or a .gguf file.");
    command.option("--tasks", a->task_names, "NAMES",
                   "Task files (.yaml), or names of tasks, groups and tags, joined by commas: arc_easy, arc_challenge, hellaswag, mmlu, gsm8k, piqa, "
                   "winogrande, boolq, openbookqa, lambada_openai, truthfulqa_mc2, and those of files beside the ones given.");
    command.option("--sets", a->set_files, "FILES", "Evaluation sets (.yaml), joined by commas; docs/eval.md shows one.");
    command.option("--matrix", a->matrix, "FILE.yaml", "Several models, adapters or prompts over evaluation sets, in one comparison.");
    command.option("--adapter", a->adapter, "DIR", "PEFT adapter directory.");
    command.option("--baseline", a->baseline, "RUN", "With --sets: directory of an earlier run of these sets, to compare with.");
    command.option("--ids", a->ids, "NAMES", "Of evaluation sets: only rows with one of these ids.");
    command.option("--tags", a->tags, "NAMES", "Of evaluation sets: only rows that have all of these tags.");
    command.option("--data", a->data, "DIR", "Rows of tasks that name no files: DIR/TASK/SPLIT.jsonl (or .json, .csv, .tsv).");
    command.option("--tasks-dir", a->tasks_dir, "DIR", "Where names are looked for; those that come with temper unless given.");
    command.option("--limit", a->most, "N", "Documents of a task, rows of a set; 0: all.");
    command.option("--num-fewshot", a->shots, "N", "Few-shot examples a question; tasks that set 0 keep 0; -1: the task's own number.");
    command.flag("--apply-chat-template", a->apply_chat_template, "Prompts of tasks through the model's chat template; sets say it themselves.");
    command.choice("--fewshot-as-multiturn", a->multiturn, {"yes", "no"},
                   "With a chat template: examples as turns of their own, or within one message.");
    command.option("--system-instruction", a->system_instruction, "TEXT", "In front of every prompt.");
    command.choice("--dtype", a->dtype, {"bfloat16", "float32"}, "Arithmetic.");
    command.option("--batch-tokens", a->batch_tokens, "N", "Tokens of a pass; changes no bit.");
    command.option("--max-length", a->max_length, "N", "Tokens that the model sees of a request; 0: as many as it was made for.");
    command.option("--bootstrap-iters", a->bootstrap_iters, "N", "Resamples of standard errors that have no formula; 0: no standard errors.");
    add_job_arguments(command, *a);
    command.footer([] { return "Settings of an evaluation set [default]:\n" + evaluation_set_help(); });
    command.runs([a] { return run(*a); });
}

}  // namespace temper
