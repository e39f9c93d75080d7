// What a model answered, as it is and, where it is an object, with talk and a fence around it.
#include "retrieval/answer_json.h"

#include "io/jsonl.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace temper;
    return fuzz_one([&] {
        const std::string answer(reinterpret_cast<const char*>(data), size);
        const std::string found = json_in_answer(answer);
        if (answer.find(found) == std::string::npos) __builtin_trap();
        const bool json = Json::accept(found) && (found.starts_with('{') || found.starts_with('['));
        if (json && json_in_answer(found) != found) __builtin_trap();
        if (!json || found.starts_with('[') || found.find('"') == std::string::npos || found.find("</think>") != std::string::npos) return;
        if (json_in_answer("<think>{\"a\": 1}</think>\nHere, see [1]:\n```json\n" + found + "\n```\nDone {}.") != found) __builtin_trap();
        if (json_in_answer("Here {} is: " + found + " as of [1]") != found) __builtin_trap();
    });
}
