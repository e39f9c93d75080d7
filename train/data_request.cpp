#include "train/data_request.h"

#include "io/durable.h"
#include "io/rows/row_source.h"
#include "kernels/error.h"

namespace temper {
namespace {

// Raise when tokens or marks of the same input change.
constexpr int token_format = 6;

}  // namespace

std::string token_cache_key(const DataRequest& request, const Tokenizer& tokenizer) {
    Json key;
    key["format"] = token_format;
    key["kind"] = static_cast<int>(request.kind);
    key["tokenizer"] = tokenizer.fingerprint();
    key["template"] = request.chat_template.empty() ? tokenizer.chat_template().value_or("") : request.chat_template;
    key["tool_template"] = request.chat_template.empty() ? tokenizer.tool_template().value_or("") : "";
    key["bos"] = tokenizer.bos_token();  // what templates write, and what ends a row
    key["eos"] = tokenizer.eos_token();
    if (request.val_size > 0) key["held_out"] = {{"val_size", request.val_size}, {"seed", request.val_seed}, {"evaluated", request.role == "eval"}};
    key["max_length"] = request.max_length;
    key["on_overlong"] = request.on_overlong;
    if (request.kind == RowKind::sft) {
        key["completion_only_loss"] = request.completion_only_loss;
        key["assistant_only_loss"] = request.assistant_only_loss;
    } else {
        key["on_identical"] = request.on_identical;
        key["on_empty"] = request.on_empty;
    }
    key["end_ids"] = request.end_ids;
    key["files"] = Json::array();
    for (const DataFile& file : request.files) {
        if (!std::filesystem::exists(file.path)) throw_error(ExitCode::missing_input, "{} data '{}' does not exist", request.role, file.path);
        key["files"].push_back({{"path", file.path},
                                {"sha256", rows_sha256(file.path)},
                                {"max_rows", file.max_rows},
                                {"weight", file.weight},
                                {"columns", file.columns},
                                {"format", file.format}});
    }
    return sha256_hex(key.dump());
}

std::string chat_template_text(const DataConfig& data) {
    if (!data.chat_template) return "";
    const std::string& text = *data.chat_template;
    const bool is_template = text.find("{%") != std::string::npos || text.find("{{") != std::string::npos;
    return is_template ? text : read_file(text, std::size_t(1) << 20);
}

}  // namespace temper
