#include "model/probe.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "io/durable.h"
#include "model/decoder.h"

namespace temper {
namespace {

constexpr std::size_t vocabulary_rows = 4, row_length = 32, most_lines = 16, most_tokens = 128;

TokenBatch batch_of(std::vector<std::int32_t>& ids, std::vector<std::int32_t>& positions, const ProbeRows& probe) {
    TokenBatch batch;
    for (const std::vector<std::int32_t>& row : probe.rows) {
        Segment segment;
        segment.begin = static_cast<std::int64_t>(ids.size());
        segment.length = static_cast<std::int64_t>(row.size());
        batch.segments.push_back(segment);
        for (std::size_t i = 0; i < row.size(); ++i) positions.push_back(static_cast<std::int32_t>(i));
        ids.insert(ids.end(), row.begin(), row.end());
    }
    const auto n = static_cast<std::int64_t>(ids.size());
    batch.ids = View(ids.data(), DType::i32, {n});
    batch.positions = View(positions.data(), DType::i32, {n});
    return batch;
}

// Of lists of finite numbers; NaN counts as infinitely far.
double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        if (!(difference <= largest)) largest = std::isfinite(difference) ? difference : HUGE_VAL;
    }
    return largest;
}

}  // namespace

std::int64_t ProbeRows::tokens() const {
    std::size_t count = 0;
    for (const auto& row : rows) count += row.size();
    return static_cast<std::int64_t>(count);
}

ProbeRows vocabulary_probe(std::int64_t vocabulary_size) {
    ProbeRows probe;
    std::uint64_t state = 1;
    for (std::size_t i = 0; i < vocabulary_rows; ++i) {
        std::vector<std::int32_t>& row = probe.rows.emplace_back();
        while (row.size() < row_length) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            row.push_back(static_cast<std::int32_t>((state >> 33) % static_cast<std::uint64_t>(vocabulary_size)));
        }
    }
    return probe;
}

ProbeRows text_probe(const std::filesystem::path& file, const Tokenizer& tokenizer) {
    std::istringstream text(read_file(file, std::size_t(1) << 20));
    ProbeRows probe;
    for (std::string line; probe.rows.size() < most_lines && std::getline(text, line);) {
        std::vector<std::int32_t> ids = tokenizer.encode(line, true);
        ids.resize(std::min(ids.size(), most_tokens));
        if (!ids.empty() && line.find_first_not_of(" \t\r") != std::string::npos) probe.rows.push_back(std::move(ids));
    }
    if (probe.rows.empty()) throw_error(ExitCode::bad_data, "{}: no line of text to compare logits on", file.string());
    return probe;
}

std::vector<float> probe_logits(const ModelFiles& model, const LoraLayout& lora, const std::vector<float>& parameters, const ProbeRows& probe,
                                int threads) {
    Stream stream(threads);
    std::size_t longest = 1;
    for (const auto& row : probe.rows) longest = std::max(longest, row.size());
    Decoder decoder(stream, model, lora, {DType::f32, false, static_cast<std::int64_t>(longest)});
    std::vector<float> adapter = parameters;
    if (!adapter.empty()) decoder.refresh_adapter(View(adapter.data(), DType::f32, {lora.parameters}));
    std::vector<std::int32_t> ids, positions;
    const TokenBatch batch = batch_of(ids, positions, probe);
    const std::int64_t n = batch.tokens(), vocabulary = model.config().vocab_size;
    Activations activations(model.config(), lora, DType::f32, n, Activations::Keep::nothing);
    const View hidden = decoder.forward(batch, activations);
    std::vector<float> logits(static_cast<std::size_t>(n * vocabulary)), gathered(static_cast<std::size_t>(n * model.config().hidden_size));
    std::vector<std::int32_t> rows(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int32_t>(i);
    decoder.logits(View(logits.data(), DType::f32, {n, vocabulary}), hidden, View(rows.data(), DType::i32, {n}),
                   View(gathered.data(), DType::f32, {n, model.config().hidden_size}));
    return logits;
}

ProbeResult run_probe(const ModelFiles& base, const LoraLayout& lora, const std::vector<float>& parameters, const TensorSource& made,
                      const ModelFiles& written, const MovedWeights::TypeOf& type_of, const ProbeRows& probe, int threads) {
    const std::vector<float> expected = probe_logits(base, lora, parameters, probe, threads);
    ProbeResult result;
    result.logits = static_cast<std::int64_t>(expected.size());
    result.largest = largest_difference(probe_logits(written, {}, {}, probe, threads), expected);
    const ModelFiles moved(base, std::make_unique<MovedWeights>(made, type_of, 1));
    result.bound = 2.0 * largest_difference(probe_logits(moved, {}, {}, probe, threads), expected);
    return result;
}

void require_within_steps(const ModelFiles& written, const TensorSource& made, const MovedWeights::TypeOf& type_of) {
    for (const TensorInfo& info : weight_list(written.config())) {
        std::size_t size = 1;
        for (const std::int64_t extent : info.shape) size *= static_cast<std::size_t>(extent);
        std::vector<float> meant(size), found(size), steps(size);
        const auto view = [&](std::vector<float>& numbers) {
            return info.shape.size() == 1 ? View(numbers.data(), DType::f32, {info.shape[0]})
                                          : View(numbers.data(), DType::f32, {info.shape[0], info.shape[1]});
        };
        made.read(info.name, view(meant));
        written.weights().read(info.name, view(found));
        rounding_steps(type_of(info), meant.data(), static_cast<std::int64_t>(size), steps.data());
        for (std::size_t i = 0; i < size; ++i)
            if (!(std::abs(found[i] - meant[i]) <= 1.001f * steps[i]))
                throw_error(ExitCode::internal, "{}: {} read back is {} at element {}, meant was {}: more than storing explains",
                            written.weights().describe(), info.name, found[i], i, meant[i]);
    }
}

}  // namespace temper
