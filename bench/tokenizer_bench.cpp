// Text to ids as fast as it goes: documents in memory, no JSON, no files. compare_tokenizers.sh runs it beside the peer.
//   tokenizer_bench MODEL_DIR CORPUS [--threads N] [--rounds N] [--offsets]
// CORPUS: documents with a zero byte between. One JSON line a round: seconds, MB/s, tokens, a hash of all ids and of each document's count.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>

#include "io/durable.h"
#include "io/tokenizer/tokenizer.h"

namespace {

using namespace temper;

std::vector<std::string_view> documents_of(std::string_view corpus) {
    std::vector<std::string_view> documents;
    for (std::size_t at = 0; at < corpus.size();) {
        const std::size_t end = std::min(corpus.find('\0', at), corpus.size());
        documents.push_back(corpus.substr(at, end - at));
        at = end + 1;
    }
    return documents;
}

struct Ids {
    std::vector<std::int32_t> counts, ids;  // of a stretch of documents
};

// Threads take stretches of 64 documents from one counter; the ids stay in the order of the documents.
std::vector<Ids> encode_all(const Tokenizer& tokenizer, const std::vector<std::string_view>& documents, std::size_t threads, bool offsets) {
    constexpr std::size_t stretch = 64;
    std::vector<Ids> result((documents.size() + stretch - 1) / stretch);
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        Tokenizer::Options options;
        options.add_special_tokens = false;
        for (std::size_t s = next++; s < result.size(); s = next++) {
            for (std::size_t d = s * stretch; d < std::min(documents.size(), (s + 1) * stretch); ++d) {
                const std::size_t before = result[s].ids.size();
                if (offsets) {
                    const auto encoding = tokenizer.encode_with_offsets(documents[d], options);
                    result[s].ids.insert(result[s].ids.end(), encoding.ids.begin(), encoding.ids.end());
                } else {
                    tokenizer.encode(documents[d], options, result[s].ids);
                }
                result[s].counts.push_back(static_cast<std::int32_t>(result[s].ids.size() - before));
            }
        }
    };
    std::vector<std::thread> workers;
    for (std::size_t t = 1; t < threads; ++t) workers.emplace_back(work);
    work();
    for (std::thread& worker : workers) worker.join();
    return result;
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string hash_of(const std::vector<Ids>& all) {
    std::string bytes;
    const auto add = [&](const std::vector<std::int32_t>& values) {
        bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(std::int32_t));
    };
    for (const Ids& part : all) add(part.counts);
    for (const Ids& part : all) add(part.ids);
    return sha256_hex(bytes);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: tokenizer_bench MODEL_DIR CORPUS [--threads N] [--rounds N] [--offsets]\n");
        return 2;
    }
    std::size_t threads = 1, rounds = 1;
    bool offsets = false;
    for (int i = 3; i < argc; ++i) {
        if (!std::strcmp(argv[i], "--offsets")) offsets = true;
        else if (!std::strcmp(argv[i], "--threads") && i + 1 < argc) threads = std::strtoul(argv[++i], nullptr, 10);
        else if (!std::strcmp(argv[i], "--rounds") && i + 1 < argc) rounds = std::strtoul(argv[++i], nullptr, 10);
    }
    const Tokenizer tokenizer = Tokenizer::from_directory(argv[1]);
    const std::string corpus = read_file(argv[2], std::size_t(1) << 31);
    const auto documents = documents_of(corpus);
    tokenizer.encode("warm", true);
    rusage before{}, after{};
    getrusage(RUSAGE_SELF, &before);
    for (std::size_t round = 0; round < rounds; ++round) {
        const double start = now();
        const auto ids = encode_all(tokenizer, documents, threads, offsets);
        const double seconds = now() - start;
        getrusage(RUSAGE_SELF, &after);
        std::size_t tokens = 0;
        for (const Ids& part : ids) tokens += part.ids.size();
        std::printf(
            "{\"seconds\": %.4f, \"mb_per_second\": %.2f, \"documents\": %zu, \"tokens\": %zu, \"threads\": %zu, \"grown_mib\": %.1f, \"hash\": "
            "\"%s\"}\n",
            seconds, static_cast<double>(corpus.size()) / 1e6 / seconds, documents.size(), tokens, threads,
            static_cast<double>(after.ru_maxrss - before.ru_maxrss) / 1024, hash_of(ids).c_str());
        std::fflush(stdout);
    }
}
