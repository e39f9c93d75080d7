// What a tokenizer makes of a list of texts, for tests/campaigns/tokenizer_ids.py:  tokenize_texts MODEL_DIR TEXTS.json
#include <cstdio>

#include "io/durable.h"
#include "io/jsonl.h"
#include "io/tokenizer/tokenizer.h"
#include "kernels/error.h"

int main(int argc, char** argv) {
    using namespace temper;
    if (argc != 3) return 2;
    try {
        const Tokenizer tokenizer = Tokenizer::from_directory(argv[1]);
        const Json texts = parse_json(read_file(argv[2], std::size_t(1) << 30), argv[2], {std::size_t(1) << 30, 64});
        Json ids = Json::array(), offset_ids = Json::array(), decoded = Json::array();
        for (const Json& text : texts) {
            const auto encoded = tokenizer.encode(text.get_ref<const std::string&>(), true);
            ids.push_back(encoded);
            offset_ids.push_back(tokenizer.encode_with_offsets(text.get_ref<const std::string&>(), true).ids);
            decoded.push_back(tokenizer.decode(Span<const std::int32_t>(encoded.data(), encoded.size()), true));
        }
        std::puts(Json{{"ids", ids}, {"offset_ids", offset_ids}, {"decoded", decoded}}.dump().c_str());
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
