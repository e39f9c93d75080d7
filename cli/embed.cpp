// `temper embed`: vectors of texts.
#include "eval/embed_job.h"

#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/job_arguments.h"
#include "kernels/error.h"

namespace temper {
namespace {

struct Arguments : EmbedOptions {
    std::string prompt_text;
    bool no_prompt = false;
};

int run(Arguments& a) {
    if (a.no_prompt + !a.prompt_text.empty() + !a.prompt_name.empty() > 1)
        throw_error(ExitCode::usage, "embed: give one of --prompt, --prompt-name and --no-prompt");
    if (a.no_prompt || !a.prompt_text.empty()) a.prompt = a.prompt_text;
    return run_embed_job(a);
}

}  // namespace

void add_embed(Command& temper, const std::vector<std::string>& command_line) {
    auto a = std::make_shared<Arguments>();
    set_up_job(*a, "embed", command_line);
    Command& command = temper.command("embed", "Turns texts into vectors; run alone, under mpirun, or in a Slurm job.");
    command.required("--model", a->model, "DIR", "Hugging Face directory of an encoder or a decoder, or a .gguf file.");
    command.required("--input", a->input, "texts.jsonl", "Rows with a text; also .json, .csv, .tsv, .arrow, packed as .gz or .zst.");
    command.required("--output", a->output, "out.h5", "HDF5 with /embeddings, /ids and attributes, rows in input order.");
    command.option("--field", a->field, "NAME", "The field that holds the text.");
    command.option("--id-field", a->id_field, "NAME", "The field that holds the id; rows without it are numbered from 0.");
    command.choice("--dtype", a->dtype, {"float32", "bfloat16", "int8"}, "Arithmetic; int8: of the linears, with --int8-scales.");
    command.option("--int8-scales", a->int8_scales, "FILE", "Scales of this model, made by `temper calibrate`.");
    command.choice("--output-dtype", a->output_dtype, {"float32", "float16"}, "Numbers of the output.");
    command.choice("--format", a->format, {"hdf5", "npy"}, "npy: the ids go to OUTPUT.ids.jsonl.");
    command.option("--dimensions", a->dimensions, "N", "The first N numbers of a vector (Matryoshka models); 0: as the model says.");
    command.choice("--normalize", a->normalize, {"auto", "yes", "no"}, "auto: as the model's files say; yes: every vector has length 1.");
    command.option("--pooling", a->pooling, "MODE",
                   "mean, cls, max, lasttoken, mean_sqrt_len_tokens or weightedmean, in place of what the model's files say.");
    command.option("--prompt-name", a->prompt_name, "NAME", "A prompt of the model's, put before every text.");
    command.option("--prompt", a->prompt_text, "TEXT", "A prompt of your own.");
    command.flag("--no-prompt", a->no_prompt, "None, also where the model has a default one.");
    command.option("--max-length", a->max_length, "N", "Tokens of a text, longer ones are cut; 0: as the model says.");
    command.option("--batch-tokens", a->batch_tokens, "N", "Tokens of a pass; changes no bit. 0: what suits the device.");
    add_job_arguments(command, *a);
    command.runs([a] { return run(*a); });
}

}  // namespace temper
