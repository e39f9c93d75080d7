#include "io/tokenizer/tokenizer.h"

#include <algorithm>
#include <set>

#include "io/durable.h"
#include "io/tokenizer/bert_tokenizer.h"
#include "io/tokenizer/tokenizer_impl.h"
#include "io/unicode.h"
#include "kernels/error.h"

namespace temper {

namespace {

constexpr JsonLimits tokenizer_limits{std::size_t(512) << 20, 64};

bool lowers(const Json& normalizer) {
    if (!normalizer.is_object()) return false;
    const std::string type = normalizer.value("type", "");
    if (type == "Sequence" && normalizer.contains("normalizers") && normalizer.at("normalizers").is_array())
        return std::any_of(normalizer.at("normalizers").begin(), normalizer.at("normalizers").end(), lowers);
    return type == "Lowercase" || (type == "BertNormalizer" && normalizer.value("lowercase", true));
}

}  // namespace

Tokenizer::Impl::Impl(std::string text, const std::string& place, tok::TokenizerConfig beside)
    : Impl(parse_json(text, place, tokenizer_limits), std::move(text), place, std::move(beside)) {}

Tokenizer::Impl::Impl(const Json& document, std::string&& text, const std::string& place, tok::TokenizerConfig beside)
    : json(std::move(text)), config(std::move(beside)), model(tok::TokenModel::read(JsonSection(document, place).child("model"))) {
    const JsonSection root(document, place);
    root.allow_only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"});
    if (const auto version = root.text_if("version"); version && *version != "1.0") root.refuse("version", "\"" + *version + "\", expected \"1.0\"");
    if (root.find("normalizer")) tok::add_normalizer(normalizer, root.child("normalizer"));
    if (root.find("pre_tokenizer")) tok::add_pre_tokenizer(pre_tokenizer, root.child("pre_tokenizer"));
    if (root.find("decoder")) tok::add_decoder(decoder, root.child("decoder"));
    has_decoder = root.find("decoder") != nullptr;
    check_alphabet(root);
    read_added(root);
    if (root.find("post_processor")) tok::add_post_processor(surroundings, root.child("post_processor"), id_limit());
    bos = added.find(config.name_of("bos_token"));
    eos = added.find(config.name_of("eos_token"));
    model->set_control(added.special_ids());
    short_way = find_short_way();
}

void Tokenizer::Impl::read_added(const JsonSection& root) {
    std::vector<tok::AddedToken> tokens;
    std::vector<std::int64_t> ids;
    if (root.find("added_tokens")) {
        for (const JsonSection& section : root.children("added_tokens")) {
            section.allow_only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
            tokens.push_back(tok::read_added_token(section));
            ids.push_back(section.integer("id", 0, 1 << 24));
        }
    }
    added.add(tokens, vocabulary());
    // The reference does not read the ids, it counts; a file that counts differently is damaged.
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const auto id = added.find(tokens[i].content);
        if (id && *id != ids[i])
            root.refuse(fmt::format("added_tokens[{}].id", i), fmt::format("{} for \"{}\", expected {}", ids[i], tokens[i].content, *id));
    }
    added.add(config.additions(added), vocabulary());
    added.build(normalizer, root.place());
}

// A byte-level vocabulary may lack bytes that its training text did not have, but not the ones that all text has.
void Tokenizer::Impl::check_alphabet(const JsonSection& root) const {
    const Json* decoding = root.find("decoder");
    if (!decoding || !decoding->is_object() || decoding->value("type", "") != "ByteLevel") return;
    for (unsigned char byte = ' '; byte <= '~'; ++byte) {
        const std::string character = tok::to_utf8(tok::byte_to_character(byte));
        if (!vocabulary().find(character)) root.refuse("model.vocab", fmt::format("no token for the byte 0x{:02x} (\"{}\")", byte, character));
    }
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::from_directory(const std::filesystem::path& directory) {
    const std::filesystem::path path = directory / "tokenizer.json", vocabulary = directory / "vocab.txt";
    if (!std::filesystem::exists(path) && std::filesystem::exists(vocabulary)) {
        tok::TokenizerConfig config = tok::TokenizerConfig::read(directory);
        const Json document = tok::bert_document(vocabulary, config);
        return Tokenizer(std::make_unique<Impl>(document, document.dump() + "\n", vocabulary.string(), std::move(config)));
    }
    return Tokenizer(std::make_unique<Impl>(read_file(path, tokenizer_limits.max_bytes), path.string(), tok::TokenizerConfig::read(directory)));
}

Tokenizer Tokenizer::with_special_tokens(Span<const std::string> contents) const {
    Json document = parse_json(impl_->json, "tokenizer.json", tokenizer_limits);
    // Those of tokenizer_config.json have their ids already: all are listed, so that none is counted anew.
    std::map<std::int32_t, tok::AddedToken> tokens = impl_->added.by_id();
    std::int64_t next = vocabulary_size();
    std::set<std::string> seen;
    for (const std::string& content : contents) {
        if (!seen.insert(content).second) continue;
        tok::AddedToken token;
        token.content = content;
        token.special = true;
        tokens[id_of(content).value_or(static_cast<std::int32_t>(next))] = token;
        next = std::max<std::int64_t>(next, tokens.rbegin()->first + 1);
    }
    Json list = Json::array();
    for (const auto& [id, token] : tokens)
        list.push_back({{"id", id},
                        {"content", token.content},
                        {"single_word", token.single_word},
                        {"lstrip", token.lstrip},
                        {"rstrip", token.rstrip},
                        {"normalized", token.normalized},
                        {"special", token.special}});
    document["added_tokens"] = std::move(list);
    tok::TokenizerConfig config = impl_->config;
    return Tokenizer(std::make_unique<Impl>(document, document.dump() + "\n", "tokenizer.json with new tokens", std::move(config)));
}

Tokenizer Tokenizer::with_lower_case() const {
    Json document = parse_json(impl_->json, "tokenizer.json", tokenizer_limits);
    const Json before = document.contains("normalizer") ? document.at("normalizer") : Json();
    if (!lowers(before)) {
        Json steps = Json::array({Json{{"type", "Lowercase"}}});
        if (before.is_object()) steps.push_back(before);
        document["normalizer"] = Json{{"type", "Sequence"}, {"normalizers", steps}};
    }
    tok::TokenizerConfig config = impl_->config;
    return Tokenizer(std::make_unique<Impl>(document, document.dump() + "\n", "tokenizer.json in lower case", std::move(config)));
}

std::string Tokenizer::decode(Span<const std::int32_t> ids, bool skip_special_tokens) const {
    std::vector<std::string> tokens;
    for (const std::int32_t id : ids) {
        if (skip_special_tokens && is_special(id)) continue;
        const std::string* token = impl_->added.decoded(id);
        if (!token) token = impl_->vocabulary().token(id);
        if (token) tokens.push_back(*token);
    }
    for (const tok::DecodeStep& step : impl_->decoder) step(tokens);
    std::string text;
    for (const std::string& token : tokens) {
        if (!impl_->has_decoder && &token != &tokens.front()) text += ' ';
        text += token;
    }
    return text;
}

const std::vector<std::int32_t>& Tokenizer::tokens_before() const { return impl_->surroundings.before; }
const std::vector<std::int32_t>& Tokenizer::tokens_after() const { return impl_->surroundings.after; }
const std::vector<PairPiece>& Tokenizer::pair_pieces() const { return impl_->surroundings.pair; }
const Json& Tokenizer::config() const { return impl_->config.document; }

std::int64_t Tokenizer::vocabulary_size() const { return impl_->id_limit(); }

std::optional<std::int32_t> Tokenizer::id_of(std::string_view token) const {
    const auto id = impl_->added.find(token);
    return id ? id : impl_->vocabulary().find(token);
}

std::string Tokenizer::token_of(std::int32_t id) const {
    if (const tok::AddedToken* token = impl_->added.token(id)) return token->content;
    const std::string* token = impl_->vocabulary().token(id);
    return token ? *token : std::string();
}

bool Tokenizer::is_special(std::int32_t id) const { return impl_->added.is_special(id); }
std::optional<std::int32_t> Tokenizer::bos_id() const { return impl_->bos; }
std::optional<std::int32_t> Tokenizer::eos_id() const { return impl_->eos; }
std::string Tokenizer::bos_token() const { return impl_->config.name_of("bos_token"); }
std::string Tokenizer::eos_token() const { return impl_->config.name_of("eos_token"); }
std::vector<std::string> Tokenizer::special_tokens() const {
    std::vector<std::string> tokens;
    for (const std::int32_t id : impl_->added.special_ids()) tokens.push_back(impl_->added.token(id)->content);
    return tokens;
}

const std::optional<std::string>& Tokenizer::chat_template() const { return impl_->config.chat_template; }
const std::optional<std::string>& Tokenizer::tool_template() const { return impl_->config.tool_template; }
bool Tokenizer::take_templates_of(const std::filesystem::path& directory) {
    tok::TokenizerConfig other = tok::TokenizerConfig::read(directory);
    if (!other.chat_template) return false;
    impl_->config.chat_template = std::move(other.chat_template);
    impl_->config.tool_template = std::move(other.tool_template);
    return true;
}
std::string Tokenizer::to_tokenizer_json() const { return impl_->json; }
std::string Tokenizer::to_tokenizer_config_json() const { return impl_->config.to_json(); }

std::string Tokenizer::fingerprint() const {
    // tokenizer.json, and the tokens as they stand after tokenizer_config.json had its say.
    std::string decides = impl_->json;
    for (const auto& [id, token] : impl_->added.by_id())
        decides +=
            fmt::format("\n{} {} {}{}{}{}{}", id, token.content, token.single_word, token.lstrip, token.rstrip, token.normalized, token.special);
    return sha256_hex(decides);
}

}  // namespace temper
