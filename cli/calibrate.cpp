// `temper calibrate`: scales for an encoder of 8-bit integers, accepted only where its vectors stay near float32's.
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "eval/row_pieces.h"
#include "io/durable.h"
#include "io/log.h"
#include "io/machine.h"
#include "io/output_file.h"
#include "io/result_line.h"
#include "io/rows/row_source.h"
#include "kernels/error.h"
#include "model/int8_calibration.h"

namespace temper {
namespace {

struct Arguments {
    std::string model, input, output, field = "text", isa = "auto", input_bits = "16";
    std::int64_t texts = 512, threads = 0, max_length = 0;
    double least_cosine = least_int8_cosine;
    bool json = false;
};

TokenRows read_texts(const Arguments& a, const TextRows& texts) {
    TokenRows rows;
    Json row;
    const auto source = open_rows(a.input);
    while (static_cast<std::int64_t>(rows.size()) < a.texts && source->next(row)) {
        texts.add(text_field(row, a.field, source->place(), "--field"), rows);
    }
    if (rows.size() == 0) throw_error(ExitCode::bad_data, "{} holds no rows", a.input);
    return rows;
}

int run(const Arguments& a) {
    if (a.texts < 1) throw_error(ExitCode::usage, "--texts {}: at least 1", a.texts);
    check_output_file(a.output, {a.input});
    Stream stream(resolve_threads(a.threads), parse_isa(a.isa));
    EmbeddingModel::Options options;
    options.max_length = a.max_length;
    const EmbeddingModel model(stream, a.model, options);
    Int8Scales scales = calibrate_int8(stream, model, options, read_texts(a, model.texts()), a.least_cosine, a.input_bits == "16" ? 16 : 8);
    scales.texts_sha256 = rows_sha256(a.input);
    const bool accepted = scales.accepted() > 0;
    if (accepted) write_int8_scales(a.output, scales);
    Json result{{"status", accepted ? "accepted" : "refused"}, {"texts", scales.texts}, {"tokens", scales.tokens}};
    result["linears"] = scales.inputs.size();
    result["int8_linears"] = scales.accepted();
    result["least_cosine"] = scales.least_cosine;
    result["mean_cosine"] = scales.mean_cosine;
    if (a.json) print_result(result);
    else
        fmt::print("{} of {} linears in 8-bit integers; cosine to float32 over {} texts at least {:.6f}, {:.6f} on average\n", scales.accepted(),
                   scales.inputs.size(), scales.texts, scales.least_cosine, scales.mean_cosine);
    if (!accepted)
        throw_error(
            ExitCode::gate_failed,
            "calibrate: even with only the least harmful layer in integers the cosine is {:.6f}, below {}: nothing was written; keep float32 or "
            "bfloat16",
            scales.least_cosine, a.least_cosine);
    return 0;
}

}  // namespace

void add_calibrate(Command& temper, const std::vector<std::string>&) {
    auto a = std::make_shared<Arguments>();
    Command& command = temper.command("calibrate", "Measures the scales that an encoder of 8-bit integers needs, for `temper embed --dtype int8`.");
    command.required("--model", a->model, "DIR", "Hugging Face directory of an encoder.");
    command.required("--input", a->input, "texts.jsonl", "Rows with texts like those that are to be embedded.");
    command.required("--output", a->output, "scales.json", "Written only when the vectors are near enough to float32's.");
    command.option("--field", a->field, "NAME", "The field that holds the text.");
    command.option("--texts", a->texts, "N", "The first N texts of the input.");
    command.option("--least-cosine", a->least_cosine, "X", "Least cosine of a vector to float32's; below it nothing is written, exit 3.");
    command.choice("--input-bits", a->input_bits, {"16", "8"},
                   "Of what linears are given; weights have 8. 8: twice as fast where bytes are multiplied (VNNI, AMX, CUDA), fewer linears pass.");
    command.option("--max-length", a->max_length, "N", "Tokens of a text, longer ones are cut; 0: as the model says.");
    command.option("--threads", a->threads, "N", "0: OMP_NUM_THREADS, or the cores allowed.");
    command.option("--isa", a->isa, "NAME", "auto, or a lesser instruction set than the processor has.");
    command.flag("--json", a->json, "One JSON object as the last line.");
    command.runs([a] { return run(*a); });
}

}  // namespace temper
