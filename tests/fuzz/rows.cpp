// One row of training data, as every kind of rows: its form, then its tokens.
#include "train/preference_encoder.h"
#include "train/preference_forms.h"
#include "train/row_encoder.h"

#include "tests/fuzz/fuzz.h"

namespace temper {
namespace {

void encode_preference(const Json& row, const std::string& format, RowKind kind, const Tokenizer& tokenizer, const std::string& place) {
    const FormedRow formed = form_preference_row(row, format, kind, true, place);
    PreferenceEncoder encoder(tokenizer, "tiny_chat", "");
    const bool paired = formed.form.starts_with("pairs");
    const PreferenceRow encoded =
        paired ? encoder.encode(formed.row, {"chosen", "rejected"}, place) : encoder.encode(formed.row, {"completion"}, place);
    if (encoded.answers.size() != (paired ? 2u : 1u)) __builtin_trap();
    if (!paired) label_of(formed.row, place);
}

}  // namespace
}  // namespace temper

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace temper;
    static const Tokenizer tokenizer = Tokenizer::from_directory("tests/goldens/tiny_chat");
    return fuzz_one([&] {
        const Json row = parse_json({reinterpret_cast<const char*>(data), size}, "row:1");
        for (const char* format : {"auto", "prompt_completion", "messages", "sharegpt", "text", "alpaca", "alpaca_chat", "tokens"}) {
            fuzz_one([&] { encode_preference(row, format, RowKind::pairs, tokenizer, "row:1"); });
            fuzz_one([&] { encode_preference(row, format, RowKind::unpaired, tokenizer, "row:1"); });
            fuzz_one([&] {
                RowEncoder encoder(tokenizer, {"tiny_chat", "", true, false});
                encoder.encode(form_row(row, format, true, "row:1").row, "row:1");
            });
        }
    });
}
