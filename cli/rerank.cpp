// `temper rerank`: scores of documents for queries.
#include "eval/rerank_job.h"

#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/job_arguments.h"
#include "kernels/error.h"

namespace temper {

void add_rerank(Command& temper, const std::vector<std::string>& command_line) {
    auto a = std::make_shared<RerankOptions>();
    set_up_job(*a, "rerank", command_line);
    Command& command = temper.command("rerank", "Scores documents for queries with a cross-encoder; run alone, under mpirun, or in a Slurm job.");
    command.required("--model", a->model, "DIR", "Hugging Face directory of a cross-encoder.");
    command.required("--input", a->input, "pairs.jsonl",
                     "Rows with \"query\" and \"documents\" (texts, or objects with a \"text\"), or \"query\" and \"text\".");
    command.required("--output", a->output, "out.jsonl",
                     "The same rows with \"scores\", one a document, and \"ranking\", their indexes with the best first; or with \"score\".");
    command.option("--top-k", a->top_k, "K", "Documents in a ranking; 0: all.");
    command.choice("--dtype", a->dtype, {"float32", "bfloat16"}, "Arithmetic.");
    command.option("--max-length", a->max_length, "N", "Tokens of a pair, the longer text is cut first; 0: as the model says.");
    command.option("--batch-tokens", a->batch_tokens, "N", "Tokens of a pass; changes no bit. 0: what suits the device.");
    add_job_arguments(command, *a);
    command.runs([a] {
        if (a->top_k < 0) throw_error(ExitCode::usage, "rerank: --top-k: expected at least 0");
        return run_rerank_job(*a);
    });
}

}  // namespace temper
