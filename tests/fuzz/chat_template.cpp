// A chat template in Jinja, rendered over a short conversation.
#include "io/chat_template.h"

#include "io/jsonl.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return temper::fuzz_one([&] {
        const temper::ChatTemplate chat(std::string(reinterpret_cast<const char*>(data), size), "<s>", "</s>");
        static const temper::Json messages =
            temper::Json::parse(R"([{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi\n<x>"},
            {"role": "assistant", "content": "Yes", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]}])");
        chat.render(messages, false);
        chat.render_guarded(messages, false, temper::Json::object(), {"<x>", "</s>"});
    });
}
