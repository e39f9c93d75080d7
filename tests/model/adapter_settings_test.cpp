// adapter_config.json: what would change the arithmetic, or is no adapter, is refused by name.
#include <gtest/gtest.h>

#include "io/jsonl.h"
#include "model/lora.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

Json good_settings() {
    return {{"peft_type", "LORA"}, {"r", 8}, {"lora_alpha", 16}, {"target_modules", {"q_proj", "v_proj"}}, {"init_lora_weights", true}};
}

LoraSettings read(const Json& settings) {
    const TemporaryDirectory directory;
    directory.put("adapter_config.json", settings.dump());
    return read_adapter_settings(directory.path());
}

TEST(AdapterSettings, AreRead) {
    const LoraSettings settings = read(good_settings());
    EXPECT_EQ(settings.r, 8);
    EXPECT_EQ(settings.alpha, 16.0);
    EXPECT_EQ(settings.target_modules.list, (std::vector<std::string>{"q_proj", "v_proj"}));
}

TEST(AdapterSettings, ThatCannotBeFollowedAreRefused) {
    const std::pair<const char*, Json> bad[] = {{"peft_type", Json()},
                                                {"peft_type", "IA3"},
                                                {"init_lora_weights", "pissa"},
                                                {"init_lora_weights", "pissa_niter_16"},
                                                {"init_lora_weights", "olora"},
                                                {"rank_pattern", {{"q_proj", 0}}},
                                                {"layers_to_transform", "one"},
                                                {"r", 0},
                                                {"r", 1e30},
                                                {"r", 2.5},
                                                {"r", "8"},
                                                {"lora_alpha", nullptr},
                                                {"target_modules", 3},
                                                {"bias", "all"},
                                                {"modules_to_save", {"norm"}},
                                                {"modules_to_save", "lm_head"}};
    for (const auto& [key, value] : bad) {
        Json settings = good_settings();
        settings[key] = value;
        try {
            read(settings);
            ADD_FAILURE() << settings.dump();
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::bad_data) << settings.dump();
            EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
        }
    }
}

}  // namespace
}  // namespace temper
