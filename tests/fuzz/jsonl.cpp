// Rows of a JSONL file.
#include "io/jsonl.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return temper::fuzz_one([&] {
        temper::JsonlReader reader(temper::fuzz_file(data, size, "rows.jsonl"));
        for (temper::Json row; reader.next(row);)
            if (row.dump().empty()) __builtin_trap();
    });
}
