#include "eval/task_requests.h"

#include <algorithm>
#include <set>

#include "eval/python_text.h"
#include "eval/task_docs.h"
#include "eval/task_scores.h"
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

std::vector<Json> fewshot_pool(const TaskConfig& config) {
    const std::string& split = config.examples_split();
    if (!split.empty()) return docs_of(config, split);
    if (config.num_fewshot > 0 && config.fewshot_samples) return *config.fewshot_samples;
    return {};
}

std::vector<std::string> columns_of(const std::vector<Json>& docs) {
    std::vector<std::string> columns;
    if (!docs.empty())
        for (const auto& [name, ignored] : docs[0].items()) columns.push_back(name);
    return columns;
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
    : config_(&config), max_gen_toks_(config.generation.max_gen_toks) {
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
        references_of(config, texts, doc.doc);  // what is wrong with them is told before a text is made
    } else {
        add_choices(doc, contexts, chat);
    }
}

void TaskRequests::add_choices(TaskDoc& doc, const std::vector<std::string>& contexts, bool chat) {
    const TaskConfig& config = *config_;
    const DocTexts& texts = prompts_->texts();
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
    if (choices.size() > 2 && config.uses_aggregation("f1"))
        throw_error(ExitCode::bad_data, "{}: metric_list: f1 is of two choices, found {}: mcc takes any number", config.file.string(),
                    choices.size());
    if (config.mc2) {
        mc2_labels(config, doc.doc);
        return;
    }
    const std::vector<std::int64_t> right = right_choices(texts, doc.doc, choices);
    const auto is_choice = [&](std::int64_t index) { return index >= 0 && index < static_cast<std::int64_t>(choices.size()); };
    without_right_ += std::none_of(right.begin(), right.end(), is_choice);
}

void TaskRequests::encode(TaskDoc& doc, const RequestEncoder& encoder, std::int64_t max_length) {
    doc.first_request = config_->output_type == OutputType::generate_until ? contexts_.size() : requests_.size();
    bool cut = false;
    for (const auto& [context, continuation] : doc.arguments) {
        if (config_->output_type == OutputType::generate_until) {
            std::vector<std::int32_t> tokens = encoder.encode(context);
            const std::int64_t room = max_length - max_gen_toks_;
            if (room < 1)
                throw_error(ExitCode::usage, "max_gen_toks {} leaves no room for a prompt: the model takes {} tokens", max_gen_toks_, max_length);
            if (static_cast<std::int64_t>(tokens.size()) > room) tokens.erase(tokens.begin(), tokens.end() - room), cut = true;
            for (std::int64_t i = 0; i < config_->repeats; ++i) contexts_.push_back(tokens);
        } else if (config_->output_type == OutputType::loglikelihood_rolling) {
            for (LoglikelihoodRequest& window : encoder.windows(context, max_length)) requests_.push_back(std::move(window));
        } else {
            requests_.push_back(encoder.pair(context, continuation));
            const LoglikelihoodRequest& request = requests_.back();
            cut |= static_cast<std::int64_t>(request.context.size() + request.continuation.size()) - 1 > max_length;
        }
    }
    cut_docs_ += cut;
    doc.requests = (config_->output_type == OutputType::generate_until ? contexts_.size() : requests_.size()) - doc.first_request;
}

}  // namespace temper
