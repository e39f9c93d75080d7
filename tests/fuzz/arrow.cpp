// Rows of an Arrow IPC stream.
#include "io/rows/row_source.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return temper::fuzz_one([&] {
        const auto rows = temper::open_rows(temper::fuzz_file(data, size, "rows.arrow"));
        temper::Json row;
        for (int count = 0; count < 1000 && rows->next(row); ++count)  // a column of nulls takes no bytes: rows without end are no failure
            if (row.dump().empty()) __builtin_trap();
    });
}
