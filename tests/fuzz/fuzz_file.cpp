#include <cstdlib>
#include <fstream>

#include "tests/fuzz/fuzz.h"

namespace temper {

std::filesystem::path fuzz_file(const std::uint8_t* data, std::size_t size, const char* name) {
    static const std::filesystem::path folder = [] {
        std::string pattern = std::filesystem::temp_directory_path() / "temper-fuzz-XXXXXX";
        if (!mkdtemp(pattern.data())) std::abort();
        std::atexit([] { std::filesystem::remove_all(folder); });
        return std::filesystem::path(pattern);
    }();
    std::filesystem::path path = folder / name;
    std::ofstream stream(path, std::ios::binary | std::ios::trunc);
    stream.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    return path;
}

}  // namespace temper
