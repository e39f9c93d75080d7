#include "io/tokenizer/token_model.h"

#include "io/tokenizer/bpe.h"
#include "io/tokenizer/unigram.h"
#include "io/tokenizer/word_piece.h"

namespace temper::tok {

namespace {

// Files of the first versions do not name the model.
std::string type_of(const JsonSection& model) {
    if (const auto type = model.text_if("type")) return *type;
    if (model.find("merges")) return "BPE";
    if (model.find("continuing_subword_prefix")) return "WordPiece";
    if (model.find("unk_id")) return "Unigram";
    return "WordLevel";
}

}  // namespace

std::unique_ptr<TokenModel> TokenModel::read(const JsonSection& model) {
    const std::string type = type_of(model);
    if (type == "BPE") return std::make_unique<Bpe>(model);
    if (type == "Unigram") return std::make_unique<Unigram>(model);
    if (type == "WordPiece") return std::make_unique<WordPiece>(model);
    if (type == "WordLevel") return std::make_unique<WordLevel>(model);
    model.refuse("type", "\"" + type + "\" is not a model that is supported, expected \"BPE\", \"Unigram\", \"WordPiece\" or \"WordLevel\"");
}

void TokenModel::set_control(const std::vector<std::int32_t>& ids) {
    control_.assign(static_cast<std::size_t>(vocabulary_.id_limit()), false);
    for (const std::int32_t id : ids)
        if (id < vocabulary_.id_limit()) control_[static_cast<std::size_t>(id)] = true;
}

}  // namespace temper::tok
