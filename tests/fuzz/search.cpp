// A condition on metadata (the first line) over the JSON behind it, and that JSON as a model's answer with rows for a data set.
#include "retrieval/dataset_rows.h"
#include "retrieval/filter.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    const std::size_t end = bytes.find('\n');
    const std::string rest = end == std::string::npos ? bytes : bytes.substr(end + 1);
    temper::fuzz_one([&] {
        const temper::Filter filter({bytes.substr(0, end)});
        filter.keeps({"id#0", "id", 0, "text", temper::parse_json(rest, "metadata")}, "article");
    });
    return temper::fuzz_one([&] {
        for (const temper::Json& row : temper::rows_of_answer(rest, {"prompt", "completion"}, 4))
            if (temper::training_row(row, true).size() != 2) __builtin_trap();
    });
}
