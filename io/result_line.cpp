#include "io/result_line.h"
#include "io/json_text.h"

#include <cstdio>

namespace temper {

void print_result(const Json& result) {
    const std::string line = json_text(result) + "\n";
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);
}

}  // namespace temper
