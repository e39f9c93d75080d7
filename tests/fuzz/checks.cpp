// The YAML of hard checks, and a line of its own before it as the answer that they are run on, which is a row's reference, too.
#include "eval/hard_checks.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace temper;
    return fuzz_one([&] {
        const std::string bytes(reinterpret_cast<const char*>(data), size);
        const std::size_t end = std::min(bytes.find('\n'), bytes.size());
        const std::string answer = bytes.substr(0, end);
        if (find_invalid_utf8(answer) != std::string::npos) return;  // texts are valid where checks are run
        const HardChecks checks(bytes.substr(end), "checks.yaml");
        const Json row{{"tags", {"a"}}, {"reference", answer}};
        const std::size_t most = checks.names().size();
        if (checks.run(answer, row).size() > most || checks.run("", row).size() > most) __builtin_trap();
    });
}
