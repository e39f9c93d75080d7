#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/tokenize_show.h"
#include "io/durable.h"
#include "io/in_order.h"
#include "io/jsonl.h"
#include "io/log.h"
#include "io/machine.h"
#include "io/output_file.h"
#include "io/progress.h"
#include "io/result_line.h"
#include "io/rows/row_source.h"
#include "kernels/error.h"
#include "model/model_files.h"
#include "train/preference_forms.h"
#include "train/row_forms.h"

namespace temper {
namespace {

struct Arguments {
    std::string model, input, output, chat_template;
    std::int64_t threads = 0, limit = 0;
    bool chat = false, no_special_in_text = false, show = false, preferences = false, all_supervised = false, assistant_only = false, json = false;
};

struct Counts {
    std::int64_t rows = 0, tokens = 0;
};

Tokenizer load_tokenizer(const std::string& model) {
    if (!std::filesystem::is_directory(model)) return ModelFiles(model).load_tokenizer();
    return Tokenizer::from_directory(model);  // a directory without weights will do
}

// Of --chat-template; empty without it.
std::string given_template(const Arguments& arguments) {
    return arguments.chat_template.empty() ? std::string() : read_file(arguments.chat_template, std::size_t(1) << 20);
}

class Rows {
  public:
    Rows(const Arguments& arguments) : tokenizer_(load_tokenizer(arguments.model)), guards_(arguments.no_special_in_text) {
        if (const std::string given = given_template(arguments); !given.empty())
            template_ = std::make_unique<ChatTemplate>(given, tokenizer_.bos_token(), tokenizer_.eos_token());
        else if (arguments.chat) template_ = std::make_unique<ChatTemplate>(chat_template_of(tokenizer_, arguments.model));
        if (guards_) special_tokens_ = tokenizer_.special_tokens();
    }

    // Appends the line {"ids", "text"}; gives the number of tokens.
    std::int64_t convert(const Json& row, const std::string& place, std::string& lines) const {
        ChatTemplate::Rendered rendered;
        Tokenizer::Options options;
        // A template writes its own special tokens; plain text gets those that the tokenizer adds by itself.
        options.add_special_tokens = template_ == nullptr;
        options.parse_special = template_ != nullptr || !guards_;
        if (template_) rendered = render(row, place);
        else rendered.text = plain(row, place);
        options.barriers = Span<const std::size_t>(rendered.barriers);
        const std::vector<std::int32_t> ids = tokenizer_.encode(rendered.text, options);
        append_ids(lines, ids);
        lines += Json(std::move(rendered.text)).dump();
        lines += "}\n";
        return static_cast<std::int64_t>(ids.size());
    }

  private:
    // Millions of numbers: not by way of a Json of each.
    static void append_ids(std::string& lines, const std::vector<std::int32_t>& ids) {
        lines += R"({"ids":[)";
        for (std::size_t i = 0; i < ids.size(); ++i) {
            std::array<char, 12> digits;
            const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), ids[i]).ptr;
            if (i > 0) lines += ',';
            lines.append(digits.data(), end);
        }
        lines += R"(],"text":)";
    }

    std::string plain(const Json& row, const std::string& place) const {
        if (!row.contains("text") && row.contains("messages"))
            throw_error(ExitCode::bad_data, "{}: expected \"text\", found \"messages\"; --chat takes rows of messages", place);
        if (!row.contains("text")) throw_error(ExitCode::bad_data, "{}: expected \"text\", no such field", place);
        const Json& text = row["text"];
        if (!text.is_string()) throw_error(ExitCode::bad_data, "{}: text: expected text, found {}", place, text.type_name());
        return text.get<std::string>();
    }

    ChatTemplate::Rendered render(const Json& row, const std::string& place) const {
        if (!row.contains("messages")) throw_error(ExitCode::bad_data, "{}: expected \"messages\", no such field", place);
        try {
            const Json variables = template_variables(row, place);
            if (guards_) return template_->render_guarded(row["messages"], false, variables, special_tokens_);
            return template_->render(row["messages"], false, variables);
        } catch (const Error& error) {
            throw_error(error.code(), "{}: {}", place, error.what());
        }
    }

    Tokenizer tokenizer_;
    std::unique_ptr<ChatTemplate> template_;
    std::vector<std::string> special_tokens_;
    bool guards_;
};

// Rows that a thread takes at once: enough that taking costs little, few enough that memory stays small.
struct Stretch {
    static constexpr std::size_t most_rows = 128, most_bytes = std::size_t(1) << 18;
    std::vector<Json> rows;
    std::vector<std::string> places;
    std::exception_ptr failure;  // of the row behind them: those before are looked at first
    std::string lines;
    std::int64_t tokens = 0;
};

std::size_t bytes_of(const Json& value) {
    if (value.is_string()) return value.get_ref<const std::string&>().size();
    std::size_t bytes = 1;
    if (value.is_structured())
        for (const Json& part : value) bytes += bytes_of(part);
    return bytes;
}

Counts write_rows(const Arguments& arguments, const Rows& rows, const Sink& sink) {
    Counts counts;
    const std::unique_ptr<RowSource> reader = open_rows(arguments.input);
    Progress progress("tokenize", 0);
    std::int64_t taken = 0;
    const auto take = [&](Stretch& stretch) {
        for (std::size_t bytes = 0; bytes < Stretch::most_bytes && stretch.rows.size() < Stretch::most_rows;) {
            if (arguments.limit > 0 && taken == arguments.limit) break;
            Json row;
            try {
                if (!reader->next(row)) break;
            } catch (...) {
                stretch.failure = std::current_exception();
                break;
            }
            bytes += bytes_of(row);
            stretch.rows.push_back(std::move(row));
            stretch.places.push_back(reader->place());
            ++taken;
        }
        return !stretch.rows.empty() || stretch.failure;
    };
    const auto make = [&](Stretch& stretch) {
        for (std::size_t i = 0; i < stretch.rows.size(); ++i) {
            stretch.tokens += rows.convert(stretch.rows[i], stretch.places[i], stretch.lines);
            stretch.rows[i] = nullptr;
        }
        if (stretch.failure) std::rethrow_exception(stretch.failure);
    };
    const auto give = [&](const Stretch& stretch) {
        sink(stretch.lines);
        counts.rows += static_cast<std::int64_t>(stretch.rows.size());
        counts.tokens += stretch.tokens;
        progress.update(counts.rows, counts.tokens);
    };
    in_order<Stretch>(resolve_threads(arguments.threads), take, make, give);
    return counts;
}

// A row as sft or dpo makes it: what stands above it, its text and its tokens.
class Shower {
  public:
    Shower(const Arguments& arguments)
        : arguments_(arguments),
          tokenizer_(load_tokenizer(arguments.model)),
          rows_(tokenizer_, {arguments.model, given_template(arguments), !arguments.all_supervised, arguments.assistant_only}),
          preferences_(tokenizer_, arguments.model, given_template(arguments)) {}

    std::int64_t print(Json row, const std::string& place) {
        const bool has_template = tokenizer_.chat_template().has_value() || !arguments_.chat_template.empty();
        if (arguments_.preferences)
            return print_preference(form_preference_row(std::move(row), "auto", RowKind::unpaired, has_template, place), place);
        const TokenRow encoded = rows_.encode(form_row(std::move(row), "auto", has_template, place).row, place);
        const auto supervised = std::count(encoded.supervised.begin(), encoded.supervised.end(), std::uint8_t(1));
        fmt::print("{}: {} tokens, {} supervised\n{}\n\n", place, encoded.ids.size(), supervised, shown_row(tokenizer_, encoded, colours_));
        return static_cast<std::int64_t>(encoded.ids.size());
    }

  private:
    std::int64_t print_preference(const FormedRow& formed, const std::string& place) {
        const bool paired = formed.form.starts_with("pairs");
        PreferenceRow row =
            paired ? preferences_.encode(formed.row, {"chosen", "rejected"}, place) : preferences_.encode(formed.row, {"completion"}, place);
        if (!paired) row.label = label_of(formed.row, place);
        std::int64_t tokens = static_cast<std::int64_t>(row.prompt.size());
        std::string sizes;
        for (const auto& answer : row.answers) {
            sizes += fmt::format("{}{}", sizes.empty() ? "" : " and ", answer.size());
            tokens += static_cast<std::int64_t>(answer.size());
        }
        fmt::print("{}: {} tokens of prompt, {} of {}\n{}\n\n", place, row.prompt.size(), sizes, paired ? "answers" : "answer",
                   shown_preference(tokenizer_, row, colours_));
        return tokens;
    }

    const Arguments& arguments_;
    Tokenizer tokenizer_;
    RowEncoder rows_;
    PreferenceEncoder preferences_;
    bool colours_ = stdout_takes_colours();
};

int show(const Arguments& arguments) {
    Shower shower(arguments);
    const std::unique_ptr<RowSource> reader = open_rows(arguments.input);
    Counts counts;
    Json row;
    while ((arguments.limit == 0 || counts.rows < arguments.limit) && reader->next(row)) {
        counts.tokens += shower.print(std::move(row), reader->place());
        ++counts.rows;
    }
    if (arguments.json) print_result(Json{{"status", "done"}, {"rows", counts.rows}, {"tokens", counts.tokens}});
    return 0;
}

int tokenize(const Arguments& arguments) {
    if (arguments.threads < 0 || arguments.threads > 4096)
        throw_error(ExitCode::usage, "tokenize: --threads is {}, expected 0 (all) to 4096", arguments.threads);
    if (arguments.limit < 0) throw_error(ExitCode::usage, "tokenize: --limit is {}, expected 0 (all rows) or more", arguments.limit);
    if (arguments.show) {
        if (!arguments.output.empty() || arguments.chat || arguments.no_special_in_text)
            throw_error(ExitCode::usage, "tokenize: --show prints rows as sft takes them; leave out --output, --chat and --no-special-in-text");
        return show(arguments);
    }
    if (!arguments.chat_template.empty() && !arguments.chat)
        throw_error(ExitCode::usage, "tokenize: --chat-template is for conversations; add --chat, or --show");
    if (arguments.preferences) throw_error(ExitCode::usage, "tokenize: --preferences says how --show prints rows; add --show");
    if (arguments.output.empty()) throw_error(ExitCode::usage, "tokenize: --output is missing: the file for the ids, or --show to read rows here");
    check_output_file(arguments.output, {arguments.input});
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
    command.option("--output", arguments->output, "ids.jsonl", "Rows {\"ids\", \"text\"}.");
    command.flag("--chat", arguments->chat, "Rows are conversations, rendered by the model's chat template without a generation prompt.");
    command.option("--chat-template", arguments->chat_template, "FILE.jinja",
                   "With --chat or --show: in place of the model's, as data.chat_template; an adapter's is ADAPTER/chat_template.jinja.");
    command.flag("--no-special-in-text", arguments->no_special_in_text,
                 "Special tokens that a text, or a content of a conversation, spells are plain text; else they are the tokens, as in transformers.");
    command.flag("--show", arguments->show, "Prints the rows as sft takes them, what is supervised in colour or in ⟦ ⟧.");
    command.flag("--preferences", arguments->preferences, "With --show: rows are pairs or labelled answers, as dpo takes them.");
    command.flag("--all-supervised", arguments->all_supervised, "With --show: as under data.completion_only_loss=false.");
    command.flag("--assistant-only", arguments->assistant_only, "With --show: as under data.assistant_only_loss=true.");
    command.option("--limit", arguments->limit, "N", "Only the first rows; 0: all.");
    command.option("--threads", arguments->threads, "N", "Threads; 0: all cores allowed.");
    command.flag("--json", arguments->json, "One object as the last line of stdout: rows, tokens, output.");
    command.runs([arguments] { return tokenize(*arguments); });
}

}  // namespace temper
