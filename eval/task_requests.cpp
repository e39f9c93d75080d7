#include "eval/task_requests.h"

#include <algorithm>
#include <set>

#include "eval/python_text.h"
#include "eval/task_docs.h"
#include "io/unicode.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::vector<Json> docs_of(const TaskConfig& config, const std::string& split) {
    const auto files = config.data_files.find(split);
    if (files == config.data_files.end())
        throw_error(ExitCode::missing_input,
                    "{}: no data of split '{}': name its files in dataset_kwargs.data_files, or put {}/{}.jsonl into the folder that --data names",
                    config.file.string(), split, config.task, split);
    return load_docs(files->second);
}

// Where examples come from, as the reference looks for them.
std::vector<Json> fewshot_pool(const TaskConfig& config) {
    if (config.num_fewshot == 0) return {};
    if (!config.fewshot_split.empty()) return docs_of(config, config.fewshot_split);
    if (config.fewshot_samples) return *config.fewshot_samples;
    for (const std::string* split : {&config.training_split, &config.validation_split, &config.test_split})
        if (!split->empty()) return docs_of(config, *split);
    return {};
}

std::vector<std::string> columns_of(const std::vector<Json>& docs) {
    std::vector<std::string> columns;
    if (!docs.empty())
        for (const auto& [name, ignored] : docs[0].items()) columns.push_back(name);
    return columns;
}

std::int64_t generation_limit(const TaskConfig& config) {
    for (const char* name : {"max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"})
        if (config.generation_kwargs.contains(name) && config.generation_kwargs[name].is_number_integer()) {
            const auto limit = config.generation_kwargs[name].get<std::int64_t>();
            if (limit < 1)
                throw_error(ExitCode::bad_data, "{}: generation_kwargs.{}: expected at least 1, found {}", config.file.string(), name, limit);
            return limit;
        }
    return 256;
}

std::string text_answer(const TaskConfig& config, const Json& answer) {
    if (!answer.is_string()) throw_error(ExitCode::bad_data, "{}: doc_to_target: expected a text, found {}", config.file.string(), answer.dump());
    return answer.get<std::string>();
}

bool ends_with_space(const Json& text) {
    return text.is_string() && !text.get_ref<const std::string&>().empty() &&
           is_python_space(tok::decode_character_before(text.get_ref<const std::string&>(), text.get_ref<const std::string&>().size()));
}

}  // namespace

TaskRequests::TaskRequests(const TaskConfig& config, const RequestEncoder& encoder, PromptOptions options, std::optional<std::int64_t> limit,
                           std::int64_t max_length)
    : config_(&config), max_gen_toks_(generation_limit(config)) {
    std::vector<Json> docs = docs_of(config, config.split());
    if (docs.empty()) throw_error(ExitCode::bad_data, "{}: split '{}' has no document", config.file.string(), config.split());
    all_docs_ = static_cast<std::int64_t>(docs.size());
    const bool chat = static_cast<bool>(options.chat_template);
    prompts_ = std::make_unique<TaskPrompts>(config, columns_of(docs), fewshot_pool(config), std::move(options));
    const std::int64_t count = std::min(all_docs_, limit.value_or(all_docs_));
    for (std::int64_t i = 0; i < count; ++i) {
        TaskDoc doc;
        doc.id = i;
        doc.doc = std::move(docs[static_cast<std::size_t>(i)]);
        try {
            add_arguments(doc, chat);
            encode(doc, encoder, max_length);
        } catch (const Error& error) {
            throw_error(error.code(), "{} (task {}, document {})", error.what(), config.task, i);
        }
        docs_.push_back(std::move(doc));
    }
}

void TaskRequests::add_arguments(TaskDoc& doc, bool chat) {
    const TaskConfig& config = *config_;
    const DocTexts& texts = prompts_->texts();
    const std::vector<std::string> contexts = prompts_->contexts(doc.doc);
    if (config.output_type == OutputType::loglikelihood) {
        doc.arguments.emplace_back(contexts[0], text_answer(config, texts.answer(doc.doc)));
    } else if (config.output_type == OutputType::loglikelihood_rolling) {
        doc.arguments.emplace_back(text_answer(config, texts.answer(doc.doc)), "");
    } else if (config.output_type == OutputType::generate_until) {
        doc.arguments.emplace_back(contexts[0], "");
    } else {
        std::string delimiter = texts.target_delimiter();
        if (chat && (config.texts.gen_prefix.is_null() || ends_with_space(config.texts.gen_prefix))) delimiter.clear();
        const std::vector<std::string> choices = texts.choices(doc.doc);
        const bool many_inputs = !texts.question(doc.doc).is_string();
        if (many_inputs) {
            const std::string answer = text_answer(config, texts.answer(doc.doc));
            for (const std::string& context : contexts) doc.arguments.emplace_back(context, delimiter + answer);
        } else {
            for (const std::string& choice : choices) doc.arguments.emplace_back(contexts[0], delimiter + choice);
        }
        if (config.uses_metric("acc_mutual_info"))
            for (const std::string& choice : choices) doc.arguments.emplace_back("", delimiter + choice);
    }
}

void TaskRequests::encode(TaskDoc& doc, const RequestEncoder& encoder, std::int64_t max_length) {
    doc.first_request = config_->output_type == OutputType::generate_until ? contexts_.size() : requests_.size();
    for (const auto& [context, continuation] : doc.arguments) {
        if (config_->output_type == OutputType::generate_until) {
            std::vector<std::int32_t> tokens = encoder.encode(context);
            const std::int64_t room = max_length - max_gen_toks_;
            if (room < 1)
                throw_error(ExitCode::usage, "max_gen_toks {} leaves no room for a prompt: the model takes {} tokens", max_gen_toks_, max_length);
            if (static_cast<std::int64_t>(tokens.size()) > room) tokens.erase(tokens.begin(), tokens.end() - room);
            for (std::int64_t i = 0; i < config_->repeats; ++i) contexts_.push_back(tokens);
        } else if (config_->output_type == OutputType::loglikelihood_rolling) {
            for (LoglikelihoodRequest& window : encoder.windows(context, max_length)) requests_.push_back(std::move(window));
        } else {
            requests_.push_back(encoder.pair(context, continuation));
        }
    }
    doc.requests = (config_->output_type == OutputType::generate_until ? contexts_.size() : requests_.size()) - doc.first_request;
}

}  // namespace temper
