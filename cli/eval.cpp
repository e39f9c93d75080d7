// `temper eval`: benchmark tasks on a model.
#include "eval/eval_job.h"

#include <filesystem>
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/job_arguments.h"
#include "kernels/error.h"

namespace temper {
namespace {

struct Arguments : EvalOptions {
    std::string task_names, multiturn = "yes";
    std::int64_t most = 0, shots = -1;
};

// The task files that come with the program: beside it in the build, in share/ where it is installed.
std::filesystem::path own_tasks() {
    std::error_code ignored;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
    for (const std::filesystem::path& folder : {program / "tasks", program.parent_path() / "share" / "temper" / "tasks"})
        if (std::filesystem::is_directory(folder)) return folder;
    return {};
}

int run(Arguments& a) {
    for (std::size_t begin = 0; begin <= a.task_names.size();) {
        const std::size_t end = std::min(a.task_names.find(',', begin), a.task_names.size());
        if (end > begin) a.tasks.push_back(a.task_names.substr(begin, end - begin));
        begin = end + 1;
    }
    if (a.tasks.empty()) throw_error(ExitCode::usage, "eval: --tasks names no task");
    if (a.most < 0 || a.shots < -1 || a.batch_tokens < 1 || a.bootstrap_iters < 0 || a.max_length < 0)
        throw_error(ExitCode::usage, "eval: --limit, --num-fewshot, --batch-tokens, --bootstrap-iters and --max-length: expected no negative number");
    a.fewshot_as_multiturn = a.multiturn == "yes";
    if (a.most > 0) a.limit = a.most;
    if (a.shots >= 0) a.num_fewshot = a.shots;
    if (a.tasks_dir.empty()) a.tasks_dir = own_tasks().string();
    return run_eval_job(a);
}

}  // namespace

void add_eval(Command& temper, const std::vector<std::string>& command_line) {
    auto a = std::make_shared<Arguments>();
    set_up_job(*a, "eval", command_line);
    Command& command = temper.command("eval", "Scores a model on tasks of lm-evaluation-harness; run alone, under mpirun, or in a Slurm job.");
    command.required("--model", a->model, "DIR", "Hugging Face directory, or a .gguf file.");
    command.required(
        "--tasks", a->task_names, "NAMES",
        "Task files (.yaml), or names of tasks, groups and tags, joined by commas: arc_easy, arc_challenge, hellaswag, mmlu, gsm8k, piqa, "
        "winogrande, boolq, openbookqa, lambada_openai, truthfulqa_mc2, and those of files beside the ones given.");
    command.option("--adapter", a->adapter, "DIR", "PEFT adapter directory.");
    command.option("--data", a->data, "DIR", "Rows of tasks that name no files: DIR/TASK/SPLIT.jsonl (or .json, .csv, .tsv).");
    command.option("--tasks-dir", a->tasks_dir, "DIR", "Where names are looked for; those that come with temper unless given.");
    command.option("--limit", a->most, "N", "Documents of a task; 0: all.");
    command.option("--num-fewshot", a->shots, "N", "Examples before a question, of tasks that do not say 0; -1: as the task says.");
    command.flag("--apply-chat-template", a->apply_chat_template, "Prompts through the model's chat template.");
    command.choice("--fewshot-as-multiturn", a->multiturn, {"yes", "no"},
                   "With a chat template: examples as turns of their own, or within one message.");
    command.option("--system-instruction", a->system_instruction, "TEXT", "In front of every prompt.");
    command.choice("--dtype", a->dtype, {"bfloat16", "float32"}, "Arithmetic.");
    command.option("--batch-tokens", a->batch_tokens, "N", "Tokens of a pass; changes no bit.");
    command.option("--max-length", a->max_length, "N", "Tokens that the model sees of a request; 0: as many as it was made for.");
    command.option("--bootstrap-iters", a->bootstrap_iters, "N", "Resamples of standard errors that have no formula; 0: no standard errors.");
    add_job_arguments(command, *a);
    command.runs([a] { return run(*a); });
}

}  // namespace temper
