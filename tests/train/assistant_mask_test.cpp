// Which tokens of a conversation are the assistant's, against transformers' own masks (tests/goldens/make_mask_goldens.py).
#include <filesystem>
#include <set>

#include <gtest/gtest.h>

#include <unistd.h>

#include "io/durable.h"
#include "io/jsonl.h"
#include "train/row_encoder.h"

namespace temper {
namespace {

std::filesystem::path goldens() { return std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens"; }

Json ranges_of(const std::vector<std::uint8_t>& supervised) {
    Json ranges = Json::array();
    for (std::size_t i = 0; i < supervised.size(); ++i) {
        if (!supervised[i]) continue;
        if (ranges.empty() || ranges.back()[1] != i) ranges.push_back(Json::array({i, i}));
        ranges.back()[1] = i + 1;
    }
    return ranges;
}

TEST(AssistantMask, IsThatOfTransformersForEveryTrainingTemplate) {
    const auto path = goldens() / "templates/masks.json";
    const Json masks = parse_json(read_file(path), path.string()),
               conversations = parse_json(read_file(goldens() / "templates/conversations.json"), "conversations.json")["conversations"];
    const auto work = std::filesystem::temp_directory_path() / ("temper-masks-" + std::to_string(::getpid()));
    std::set<std::string> templates;
    for (const Json& golden : masks["cases"]) {
        const auto name = golden["template"].get<std::string>(), which = golden["conversation"].get<std::string>();
        SCOPED_TRACE(name + " " + which);
        if (templates.insert(name).second) {
            std::filesystem::remove_all(work);
            std::filesystem::copy(goldens() / "tokenizers" / masks["tokenizer"].get<std::string>(), work);
            std::filesystem::copy(goldens() / "templates" / name, work / "chat_template.jinja");
        }
        const Tokenizer tokenizer = Tokenizer::from_directory(work);
        RowEncoder encoder(tokenizer, {name, {}, true, true});
        const Json variables = conversations[which].value("variables", Json::object());
        Json row = {{"messages", conversations[which]["messages"]}};
        for (const auto& [key, value] : variables.items()) {
            if (key == "tools" || key == "documents") row[key] = value;
            else row["chat_template_kwargs"][key] = value;
        }
        const TokenRow encoded = encoder.encode(row, "row");
        EXPECT_EQ(encoded.ids.size(), golden["tokens"].get<std::size_t>());
        EXPECT_EQ(ranges_of(encoded.supervised), golden["assistant"]);
    }
    std::filesystem::remove_all(work);
    EXPECT_GE(templates.size(), 8u);
    EXPECT_GE(masks["cases"].size(), 100u);
}

}  // namespace
}  // namespace temper
