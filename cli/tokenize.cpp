#include <filesystem>
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "io/durable.h"
#include "io/jsonl.h"
#include "io/log.h"
#include "io/progress.h"
#include "kernels/error.h"
#include "model/model_files.h"

namespace temper {
namespace {

struct Arguments {
    std::string model, input, output;
    bool chat = false, json = false;
};

struct Counts {
    std::int64_t rows = 0, tokens = 0;
};

class Rows {
  public:
    Rows(const Arguments& arguments) : tokenizer_(load_tokenizer(arguments.model)) {
        if (arguments.chat) template_ = std::make_unique<ChatTemplate>(chat_template_of(tokenizer_, arguments.model));
    }

    Json convert(const Json& row, const std::string& place) const {
        const std::string text = template_ ? rendered(row, place) : plain(row, place);
        // A template writes its own special tokens; plain text gets those that the tokenizer adds by itself.
        const std::vector<std::int32_t> ids = tokenizer_.encode(text, template_ == nullptr);
        return Json{{"ids", ids}, {"text", text}};
    }

  private:
    static Tokenizer load_tokenizer(const std::string& model) {
        if (!std::filesystem::is_directory(model)) return ModelFiles(model).load_tokenizer();
        return Tokenizer::from_directory(model);  // a directory without weights will do
    }

    std::string plain(const Json& row, const std::string& place) const {
        if (!row.contains("text") && row.contains("messages"))
            throw_error(ExitCode::bad_data, "{}: expected \"text\", found \"messages\"; --chat takes rows of messages", place);
        if (!row.contains("text")) throw_error(ExitCode::bad_data, "{}: expected \"text\", no such field", place);
        const Json& text = row["text"];
        if (!text.is_string()) throw_error(ExitCode::bad_data, "{}: text: expected text, found {}", place, text.type_name());
        return text.get<std::string>();
    }

    std::string rendered(const Json& row, const std::string& place) const {
        if (!row.contains("messages")) throw_error(ExitCode::bad_data, "{}: expected \"messages\", no such field", place);
        try {
            return template_->render(row["messages"], false, template_variables(row, place)).text;
        } catch (const Error& error) {
            throw_error(error.code(), "{}: {}", place, error.what());
        }
    }

    Tokenizer tokenizer_;
    std::unique_ptr<ChatTemplate> template_;
};

Counts write_rows(const Arguments& arguments, const Rows& rows, const Sink& sink) {
    Counts counts;
    JsonlReader reader(arguments.input);
    Progress progress("tokenize", 0);
    Json row;
    while (reader.next(row)) {
        const Json result = rows.convert(row, reader.place());
        sink(result.dump() + "\n");
        ++counts.rows;
        counts.tokens += static_cast<std::int64_t>(result["ids"].size());
        progress.update(counts.rows, counts.tokens);
    }
    return counts;
}

int tokenize(const Arguments& arguments) {
    const Rows rows(arguments);
    Counts counts;
    write_durable(arguments.output, [&](const Sink& sink) { counts = write_rows(arguments, rows, sink); });
    log_info("{} rows, {} tokens in {}", counts.rows, counts.tokens, arguments.output);
    if (arguments.json) print_result(Json{{"status", "done"}, {"rows", counts.rows}, {"tokens", counts.tokens}, {"output", arguments.output}});
    return 0;
}

}  // namespace

void add_tokenize(Command& temper) {
    auto arguments = std::make_shared<Arguments>();
    Command& command = temper.command("tokenize", "Turns texts or conversations into token ids, whole: never cut, never padded.");
    command.required("--model", arguments->model, "DIR", "Hugging Face directory, or a .gguf file.");
    command.required("--input", arguments->input, "texts.jsonl", "Rows {\"text\"}, or with --chat {\"messages\"}.");
    command.required("--output", arguments->output, "ids.jsonl", "Rows {\"ids\", \"text\"}.");
    command.flag("--chat", arguments->chat, "Rows are conversations, rendered by the model's chat template without a generation prompt.");
    command.flag("--json", arguments->json, "One object as the last line of stdout: rows, tokens, output.");
    command.runs([arguments] { return tokenize(*arguments); });
}

}  // namespace temper
