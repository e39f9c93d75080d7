// Drives a fuzz target without libFuzzer: mutations of seed files, the same for the same --seed.
//     fuzz_NAME [--runs N] [--seconds S] [--seed X] [--last FILE] SEED_FILE_OR_FOLDER...
// The input under test is kept in FILE (default: none), so that after a crash it holds the input that crashed; an input that takes over
// 20 s counts as a crash. `fuzz_NAME --runs 0 FILE` runs a file as it is.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

namespace temper {
namespace {

using Bytes = std::string;
constexpr std::size_t max_size = std::size_t(1) << 18;

std::vector<Bytes> read_seeds(const std::vector<std::string>& paths) {
    std::vector<std::filesystem::path> files;
    for (const std::string& path : paths) {
        if (!std::filesystem::is_directory(path)) files.emplace_back(path);
        else
            for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
                if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    std::vector<Bytes> seeds;
    for (const auto& file : files) {
        std::ifstream stream(file, std::ios::binary);
        Bytes bytes{std::istreambuf_iterator<char>(stream), {}};
        bytes.resize(std::min(bytes.size(), max_size));
        seeds.push_back(std::move(bytes));
    }
    return seeds;
}

class Mutator {
  public:
    Mutator(const std::vector<Bytes>& seeds, std::uint64_t seed) : seeds_(seeds), random_(seed) {}

    Bytes next() {
        Bytes bytes = seeds_.empty() ? Bytes() : seeds_[below(seeds_.size())];
        for (std::size_t count = 1 + below(8); count > 0; --count) mutate(bytes);
        bytes.resize(std::min(bytes.size(), max_size));
        return bytes;
    }

  private:
    std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }
    // Headers stand at the front of most formats: half of the places are among the first 512 bytes.
    std::size_t place(const Bytes& bytes) { return below(below(2) == 0 ? std::min<std::size_t>(bytes.size(), 512) : bytes.size()); }

    void mutate(Bytes& bytes) {
        static const char* const tokens[] = {"{",     "}",       "[",       "]",  "\"", ":",  ",",    "null",        "-1", "18446744073709551616",
                                             "1e999", "\\u0000", "\\ud800", "{{", "}}", "{%", "%}",   "|",           "(",  "not",
                                             "in",    "\n",      "\t",      "- ", "&a", "*a", "\xff", "\xed\xa0\x80"};
        if (bytes.empty()) bytes = "x";
        const std::size_t at = place(bytes), length = 1 + below(std::min<std::size_t>(bytes.size() - at, 64));
        switch (below(8)) {
            case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
            case 1: bytes[at] = static_cast<char>(below(256)); break;
            case 2: bytes.erase(at, length); break;
            case 3: bytes.insert(at, bytes.substr(at, length)); break;
            case 4: bytes.resize(at); break;
            case 5: bytes.insert(at, tokens[below(std::size(tokens))]); break;
            case 6: {
                static const std::uint64_t numbers[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, ~std::uint64_t(0)};
                const std::uint64_t number = numbers[below(std::size(numbers))];
                std::memcpy(bytes.data() + at, &number, std::min<std::size_t>(8, bytes.size() - at));
                break;
            }
            default: {
                const Bytes& other = seeds_.empty() ? bytes : seeds_[below(seeds_.size())];
                if (!other.empty()) bytes.insert(at, Bytes(other, below(other.size()), length));
            }
        }
    }

    const std::vector<Bytes>& seeds_;
    std::mt19937_64 random_;
};

// Writes each input to a file before it is run, so that a crash leaves it there.
class LastInput {
  public:
    explicit LastInput(const std::string& path) {
        if (path.empty()) return;
        file_ = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (file_ < 0) throw_error(ExitCode::io_error, "{}: {}", path, std::strerror(errno));
    }
    ~LastInput() {
        if (file_ >= 0) close(file_);
    }
    LastInput(const LastInput&) = delete;
    LastInput& operator=(const LastInput&) = delete;
    void keep(const Bytes& bytes) const {
        if (file_ >= 0 && (ftruncate(file_, 0) != 0 || pwrite(file_, bytes.data(), bytes.size(), 0) < 0)) std::abort();
    }

  private:
    int file_ = -1;
};

void run(const Bytes& bytes, const LastInput& last) {
    last.keep(bytes);
    alarm(20);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

int main(int count, char** arguments) {
    std::uint64_t runs = 1000, seed = 1;
    double seconds = 1e9;
    std::string last_path;
    std::vector<std::string> paths;
    for (int i = 1; i < count; ++i) {
        const std::string name = arguments[i];
        if (name.rfind("--", 0) != 0 || i + 1 == count) paths.push_back(name);
        else if (name == "--runs") runs = std::stoull(arguments[++i]);
        else if (name == "--seed") seed = std::stoull(arguments[++i]);
        else if (name == "--seconds") seconds = std::stod(arguments[++i]), runs = ~std::uint64_t(0);
        else if (name == "--last") last_path = arguments[++i];
        else throw_error(ExitCode::usage, "unknown option {}", name);
    }
    const std::vector<Bytes> seeds = read_seeds(paths);
    const LastInput last(last_path);
    for (const Bytes& bytes : seeds) run(bytes, last);
    Mutator mutator(seeds, seed);
    const auto start = std::chrono::steady_clock::now();
    std::uint64_t done = 0;
    while (done < runs && std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds) {
        run(mutator.next(), last);
        ++done;
    }
    std::printf("%zu seeds and %llu mutations came back\n", seeds.size(), static_cast<unsigned long long>(done));
    return 0;
}

}  // namespace

}  // namespace temper

int main(int count, char** arguments) {
    try {
        return temper::main(count, arguments);
    } catch (const temper::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return static_cast<int>(error.code());
    }
}
