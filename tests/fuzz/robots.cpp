// robots.txt, then a line of its own as the target that is asked for.
#include "retrieval/robots.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace temper;
    return fuzz_one([&] {
        const std::string_view bytes(reinterpret_cast<const char*>(data), size);
        const std::size_t end = std::min(bytes.find('\n'), bytes.size());
        const Robots robots(bytes.substr(end), "temper/1.0");
        robots.allows(bytes.substr(0, end));
        if (!robots.allows("/robots.txt")) __builtin_trap();
        if (robots.crawl_delay() && !(*robots.crawl_delay() >= 0)) __builtin_trap();
        if (!matches_robots_rule("", bytes.substr(0, end))) __builtin_trap();
    });
}
