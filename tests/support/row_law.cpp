// row_law MODEL ROWS.jsonl DTYPE [TRIALS]: the row law on a real model. Rows {"ids": [...]} (what `temper tokenize` writes) run alone on one
// thread; then TRIALS times a random choice of them in random order as one packed batch, on one or two threads. Every logit must have
// the same bits. Prints the number compared; exit 1 at the first difference.
#include <cstdio>
#include <cstring>
#include <random>

#include "io/jsonl.h"
#include "model/decoder.h"

using namespace temper;

namespace {

using Row = std::vector<std::int32_t>;

std::vector<Row> read_rows(const char* path) {
    std::vector<Row> rows;
    JsonlReader reader(path);
    for (Json row; reader.next(row);) {
        rows.push_back(row.at("ids").get<Row>());
        if (rows.back().size() > 256) rows.back().resize(256);
    }
    return rows;
}

// Logits of the rows, laid end to end: (tokens, V) of the dtype, as bytes.
std::vector<std::uint8_t> logits_of(Decoder& decoder, const ModelConfig& config, DType dtype, Stream& stream, const std::vector<const Row*>& rows) {
    std::vector<std::int32_t> ids, positions;
    TokenBatch batch;
    for (const Row* row : rows) {
        Segment segment;
        segment.begin = static_cast<std::int64_t>(ids.size());
        segment.key_begin = segment.begin;
        segment.length = static_cast<std::int64_t>(row->size());
        batch.segments.push_back(segment);
        for (std::size_t i = 0; i < row->size(); ++i) {
            ids.push_back((*row)[i]);
            positions.push_back(static_cast<std::int32_t>(i));
        }
    }
    const auto n = static_cast<std::int64_t>(ids.size());
    batch.ids = View(ids.data(), DType::i32, {n});
    batch.positions = View(positions.data(), DType::i32, {n});
    Activations activations(Device::cpu, config, {}, dtype, n, Activations::Keep::all);
    const View hidden = decoder.forward(batch, activations);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(n * config.vocab_size * size_of(dtype)));
    ops::linear(stream, View(bytes.data(), dtype, {n, config.vocab_size}), hidden, decoder.head(), View());
    return bytes;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 4) throw Error(ExitCode::usage, "usage: row_law MODEL ROWS.jsonl DTYPE [TRIALS]");
    const DType dtype = std::string(argv[3]) == "float32" ? DType::f32 : DType::bf16;
    const int trials = argc > 4 ? std::stoi(argv[4]) : 20;
    const ModelFiles files(argv[1]);
    const std::vector<Row> rows = read_rows(argv[2]);
    const auto row_bytes = static_cast<std::size_t>(files.config().vocab_size * size_of(dtype));
    Stream one(1), two(2);
    Decoder on_one(one, files, {}, {dtype, false, 4096}), on_two(two, files, {}, {dtype, false, 4096});
    std::vector<std::vector<std::uint8_t>> alone;
    for (const Row& row : rows) alone.push_back(logits_of(on_one, files.config(), dtype, one, {&row}));
    std::mt19937 random(5);
    std::size_t compared = 0;
    for (int trial = 0; trial < trials; ++trial) {
        std::vector<std::size_t> chosen(2 + random() % 7);
        std::vector<const Row*> batch;
        for (std::size_t& row : chosen) batch.push_back(&rows[row = random() % rows.size()]);
        const bool second = trial % 2 == 1;
        const auto together = logits_of(second ? on_two : on_one, files.config(), dtype, second ? two : one, batch);
        std::size_t at = 0;
        for (const std::size_t row : chosen) {
            if (std::memcmp(together.data() + at, alone[row].data(), alone[row].size()) != 0) {
                std::printf("row %zu differs in trial %d of %zu rows\n", row, trial, chosen.size());
                return 1;
            }
            at += alone[row].size();
            compared += alone[row].size() / row_bytes;
        }
    }
    std::printf("%s: %d batches, %zu token rows of %lld logits: the bits of the row alone\n", argv[3], trials, compared,
                static_cast<long long>(files.config().vocab_size));
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "row_law: %s\n", error.what());
    return 1;
}
