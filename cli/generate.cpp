// `temper generate`: text from a model, for one prompt or for a file of rows.
#include "model/generate.h"
#include "model/extended_model.h"

#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/job_arguments.h"
#include "eval/prompt_rows.h"
#include "io/comm/job_ranks.h"
#include "io/durable.h"
#include "io/json_text.h"
#include "io/jsonl.h"
#include "io/log.h"
#include "io/machine.h"
#include "io/output_file.h"
#include "io/progress.h"
#include "io/result_line.h"
#include "io/rows/row_source.h"
#include "kernels/error.h"
#include "model/algorithms.h"
#include "runs/job_record.h"
#include "train/row_forms.h"

namespace temper {
namespace {

struct Arguments : JobOptions {
    std::string model, adapter, prompt, input, output, dtype = "bfloat16";
    std::int64_t max_new_tokens = 256, seed = 42, top_k = 0, slots = 32;
    double temperature = 0.0, top_p = 1.0;
    bool raw = false, load_in_4bit = false, double_quant = false, load_in_fp8 = false, keep_quantized = false;

    Quantization quantization() const {
        return {load_in_4bit, double_quant, keep_quantized, dtype == "float32" ? DType::f32 : DType::bf16, load_in_fp8};
    }
};

GenerateSettings settings_of(const Arguments& a) {
    GenerateSettings settings;
    settings.max_new_tokens = a.max_new_tokens;
    settings.temperature = a.temperature;
    settings.top_k = a.top_k;
    settings.top_p = a.top_p;
    settings.seed = static_cast<std::uint64_t>(a.seed);
    settings.slots = a.slots;
    return settings;
}

// A row as the model is asked it: the forms of training rows (train/row_forms.h), which need no answer here.
Json question_of(const Json& row, bool has_template, const std::string& place) {
    const auto has = [&](const char* field) { return row.is_object() && has_field(row, field); };
    Json question = row;
    if (has("prompt")) {
        convert_speakers(question, {"prompt", "completion"}, place);
        return question;
    }
    if (has("instruction") && !has("output")) question["output"] = "";
    const bool known = has("messages") || has("conversations") || has("text") || has("instruction");
    if (!known)
        throw_error(ExitCode::bad_data, "{}: no prompt: expected \"prompt\", \"messages\", \"conversations\", \"text\" or \"instruction\"; found {}",
                    place, row.is_object() ? "fields " + field_names(row) : row.type_name());
    question.erase("input_ids");
    question = form_row(std::move(question), "auto", has_template, place).row;
    if (!has("output") && has("instruction")) question.erase("completion");
    if (question.contains("text")) question["prompt"] = Json(question["text"]);
    return question;
}

struct Work {
    std::vector<Json> rows;
    std::vector<std::vector<std::int32_t>> prompts;
};

Work read_work(const Arguments& a, const Tokenizer& tokenizer) {
    Work work;
    PromptEncoder encoder(tokenizer, a.model);
    if (!a.prompt.empty()) {
        const bool chat = !a.raw && tokenizer.chat_template().has_value();
        work.prompts.push_back(chat ? encoder.messages(Json::array({{{"role", "user"}, {"content", a.prompt}}}), Json::object(), "--prompt")
                                    : encoder.text(a.prompt));
        work.rows.push_back(Json::object());
        return work;
    }
    const bool has_template = tokenizer.chat_template().has_value();
    const std::unique_ptr<RowSource> source = open_rows(a.input);
    Json row;
    while (source->next(row)) {
        const Json question = question_of(row, has_template, source->place());
        work.prompts.push_back(encoder.row(question, source->place()));
        const auto reference = reference_of(question);
        if (reference && !row.contains("reference")) row["reference"] = *reference;
        work.rows.push_back(std::move(row));
    }
    return work;
}

void write_predictions(const std::string& path, std::vector<Json>& rows, const std::vector<std::string>& texts,
                       const std::vector<Generated>& generated) {
    std::string lines;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i]["prediction"] = texts[i];
        rows[i]["finish_reason"] = generated[i].ended ? "stop" : "length";
        lines += json_text(rows[i]) + "\n";
    }
    write_durable(path, lines);
}

void check(const Arguments& a) {
    if (a.prompt.empty() == a.input.empty()) throw_error(ExitCode::usage, "generate: give either --prompt TEXT or --input rows.jsonl");
    if (!a.input.empty() && a.output.empty()) throw_error(ExitCode::usage, "generate: --input needs --output");
    if (a.load_in_4bit + a.load_in_fp8 + a.keep_quantized > 1)
        throw_error(ExitCode::usage, "generate: give one of --load-in-4bit, --load-in-fp8 and --keep-quantized");
    if (a.double_quant && !a.load_in_4bit) throw_error(ExitCode::usage, "generate: --bnb-4bit-use-double-quant needs --load-in-4bit");
    if (a.keep_quantized && !a.model.ends_with(".gguf"))
        throw_error(ExitCode::usage, "generate: --keep-quantized needs a .gguf model, found {}", a.model);
    if (a.max_new_tokens < 1 || a.slots < 1) throw_error(ExitCode::usage, "generate: --max-new-tokens and --slots: expected at least 1");
    if (!(a.temperature >= 0)) throw_error(ExitCode::usage, "generate: --temperature: expected at least 0, found {}", a.temperature);
    if (!(a.top_p > 0 && a.top_p <= 1)) throw_error(ExitCode::usage, "generate: --top-p: expected a number above 0, to 1, found {}", a.top_p);
    if (a.top_k < 0 || a.seed < 0) throw_error(ExitCode::usage, "generate: --top-k and --seed: expected at least 0");
    if (!a.input.empty()) check_output_file(a.output, {a.input});
}

struct Figures {
    std::size_t rows = 0;
    std::int64_t prompt_tokens = 0, new_tokens = 0;
    double seconds = 0;  // of generation alone
};

Figures answer(const Arguments& a, Stream& stream) {
    AdaptedModel adapted = open_adapted_model(a.model, a.adapter, a.quantization());
    const ModelFiles& files = adapted.files();
    const LoraLayout& lora = adapted.lora;
    std::vector<float>& parameters = adapted.parameters;
    const Tokenizer tokenizer = files.load_tokenizer();
    Work work = read_work(a, tokenizer);
    Figures figures;
    figures.rows = work.rows.size();
    std::size_t longest = 0;
    for (const auto& prompt : work.prompts) {
        longest = std::max(longest, prompt.size());
        figures.prompt_tokens += static_cast<std::int64_t>(prompt.size());
    }

    const std::int64_t limit = files.config().max_position_embeddings;
    if (static_cast<std::int64_t>(longest) + a.max_new_tokens > limit)
        console().line(fmt::format("temper: warning: the longest prompt and answer take {} positions, the model was trained for {}",
                                   static_cast<std::int64_t>(longest) + a.max_new_tokens, limit));
    const RopeScaling& scaling = files.config().rope_scaling;
    if (scaling.kind == RopeScaling::Kind::longrope &&
        static_cast<std::int64_t>(longest) + a.max_new_tokens > scaling.original_max_position_embeddings)
        console().line(
            fmt::format("temper: warning: the longest prompt and answer take {} positions, more than {}: all rows are computed with the "
                        "long RoPE factors, and short ones would differ if they ran alone",
                        static_cast<std::int64_t>(longest) + a.max_new_tokens, scaling.original_max_position_embeddings));
    const Decoder::Options options{a.dtype == "float32" ? DType::f32 : DType::bf16, false, static_cast<std::int64_t>(longest) + a.max_new_tokens};
    settle_algorithms(stream, [&] { return chosen_algorithms(stream, files, lora, options); });
    Decoder decoder(stream, files, lora, options);
    if (!parameters.empty()) decoder.refresh_adapter(View(parameters.data(), DType::f32, {lora.parameters}));
    std::vector<std::int32_t> end_ids = files.config().eos_ids;
    if (const auto eos = tokenizer.eos_id()) end_ids.push_back(*eos);

    const double begin = Progress::steady_seconds();
    std::vector<Generated> generated;
    {
        Progress progress("generate", static_cast<std::int64_t>(work.prompts.size()));
        generated = generate(decoder, work.prompts, end_ids, settings_of(a), [&](std::int64_t done, std::int64_t tokens) {
            figures.new_tokens = tokens;
            progress.update(done, tokens);
        });
    }
    figures.seconds = Progress::steady_seconds() - begin;
    std::vector<std::string> texts;
    for (const Generated& one : generated) texts.push_back(tokenizer.decode(one.ids, true));
    if (a.input.empty()) std::printf("%s\n", texts.front().c_str());
    else write_predictions(a.output, work.rows, texts, generated);
    if (!a.input.empty()) log_info("{} rows in {}", figures.rows, a.output);
    return figures;
}

Json settings_json(const Arguments& a) {
    return {{"model", a.model},
            {"adapter", a.adapter},
            {"input", a.input},
            {"output", a.output},
            {"dtype", a.dtype},
            {"max_new_tokens", a.max_new_tokens},
            {"temperature", a.temperature},
            {"top_k", a.top_k},
            {"top_p", a.top_p},
            {"seed", a.seed},
            {"load_in_4bit", a.load_in_4bit},
            {"double_quant", a.double_quant},
            {"load_in_fp8", a.load_in_fp8},
            {"keep_quantized", a.keep_quantized}};
}

int generate_alone(const Arguments& a) {
    check(a);
    Stream stream = open_stream(a.device, 0, resolve_threads(a.threads), parse_isa(a.isa));
    Figures figures;
    Json result{{"status", "done"}};
    if (a.input.empty()) {
        figures = answer(a, stream);  // a question asked by hand leaves no record
    } else {
        check_model_is_there(a.model, a.adapter);
        check_file_is_there("--input", a.input);
        const Json job = run_recorded(a, settings_json(a), environment_of(stream), [&](JobRecord& record, RunPerformance& performance) {
            figures = answer(a, stream);
            record.record().add_data("input", a.input, rows_sha256(a.input), static_cast<std::int64_t>(figures.rows));
            record.add_output("predictions", a.output);
            performance.seconds = figures.seconds;
            performance.tokens = figures.prompt_tokens + figures.new_tokens;
            performance.tokens_per_second = static_cast<double>(performance.tokens) / std::max(figures.seconds, 1e-9);
            return Json{{"rows", figures.rows}, {"prompt_tokens", figures.prompt_tokens}, {"new_tokens", figures.new_tokens}};
        });
        for (const char* name : {"run_id", "run_dir"}) result[name] = job.at(name);
    }
    result.update(Json{{"rows", figures.rows}, {"new_tokens", figures.new_tokens}, {"output", a.output}});
    if (a.json) print_result(result);
    return 0;
}

// Every rank would answer every row, and all would write one file.
int run(const Arguments& a) {
    const std::unique_ptr<Comm> comm = start_comm();
    return run_on_ranks(*comm, a.json, [&] {
        if (comm->size() > 1)
            throw_error(ExitCode::usage,
                        "generate: it runs alone, found {} ranks: start it without mpirun; temper eval --sets shares many rows out over ranks",
                        comm->size());
        return generate_alone(a);
    });
}

}  // namespace

void add_generate(Command& temper, const std::vector<std::string>& command_line) {
    auto a = std::make_shared<Arguments>();
    set_up_job(*a, "generate", command_line);
    Command& command = temper.command("generate", "Generates text from a model, with an adapter or without.");
    command.required("--model", a->model, "DIR", "Hugging Face directory, or a .gguf file.");
    command.option("--adapter", a->adapter, "DIR", "PEFT adapter directory.");
    command.option("--prompt", a->prompt, "TEXT", "One prompt, a user's message where the model has a chat template; the answer goes to stdout.");
    command.flag("--raw", a->raw, "Take --prompt as plain text, not as a user's message.");
    command.option(
        "--input", a->input, "rows.jsonl",
        "Rows of training, in its kinds of files (docs/config.md): prompt, messages, conversations, text, or instruction; answers are left out. "
        "Messages go through the chat template; a text is taken as it is, unlike --prompt.");
    command.option(
        "--output", a->output, "out.jsonl",
        "The same rows with \"prediction\", \"finish_reason\" and, where known, \"reference\". Written when all are answered: a stop leaves none; "
        "temper eval --sets goes on after one.");
    command.option("--max-new-tokens", a->max_new_tokens, "N", "Longest answer.");
    command.option("--temperature", a->temperature, "T", "0 takes the likeliest token.");
    command.option("--top-k", a->top_k, "K", "Draw among the K likeliest tokens; 0 is all.");
    command.option("--top-p", a->top_p, "P", "Draw among the likeliest tokens that together reach P, to 1.");
    command.option("--seed", a->seed, "N", "Seed of the draws.");
    command.option("--slots", a->slots, "N", "Rows generated together; changes no token.");
    command.choice("--dtype", a->dtype, {"bfloat16", "float32"}, "Arithmetic.");
    command.flag("--load-in-4bit", a->load_in_4bit, "Quantise the linear layers of the blocks to NF4, as the adapter was trained.");
    command.flag("--bnb-4bit-use-double-quant", a->double_quant, "And their scales to 8 bits.");
    command.flag("--load-in-fp8", a->load_in_fp8, "Quantise the linear layers of the blocks to 8-bit floats, as the adapter was trained.");
    command.flag("--keep-quantized", a->keep_quantized, "Of a .gguf model: its blocks stay as they are in memory; the same answers.");
    add_run_arguments(command, *a);
    command.option("--threads", a->threads, "N", "0: OMP_NUM_THREADS, or the cores allowed.");
    command.option("--device", a->device, "NAME", "Where to compute: auto, cpu, cuda.");
    command.option("--isa", a->isa, "NAME", "Instruction set of the kernels: auto, scalar, avx2, avx512, avx512_bf16, amx.");
    command.flag("--json", a->json, "One object as the last line of stdout.");
    command.runs([a] { return run(*a); });
}

}  // namespace temper
