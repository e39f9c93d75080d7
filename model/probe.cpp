#include "model/probe.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "io/durable.h"
#include "model/decoder.h"

namespace temper {
namespace {

constexpr std::size_t most_lines = 16, most_tokens = 128;
constexpr std::uint64_t draws = 2;
constexpr double allowance = 3.0;

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

static ProbeRows lines_probe(const std::string& text, const std::string& place, const Tokenizer& tokenizer) {
    std::istringstream lines(text);
    ProbeRows probe;
    for (std::string line; probe.rows.size() < most_lines && std::getline(lines, line);) {
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        std::vector<std::int32_t> ids = tokenizer.encode(line, true);
        ids.resize(std::min(ids.size(), most_tokens));
        if (!ids.empty()) probe.rows.push_back(std::move(ids));
    }
    if (probe.rows.empty()) throw_error(ExitCode::bad_data, "{}: no line of text to compare logits on", place);
    return probe;
}

ProbeRows fixed_probe(const Tokenizer& tokenizer) {
    return lines_probe(
        "The quick brown fox jumps over the lazy dog, and then it sleeps for a while under the old tree.\n"
        "Question: What is the capital of France? Answer: The capital of France is Paris, on the river Seine.\n"
        "def mean(values): return sum(values) / len(values)  # of a list that is not empty\n"
        "In 1969 the first people walked on the moon; they came back with 21.5 kg of stones.\n",
        "the fixed probe", tokenizer);
}

ProbeRows text_probe(const std::filesystem::path& file, const Tokenizer& tokenizer) {
    return lines_probe(read_file(file, std::size_t(1) << 20), file.string(), tokenizer);
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
    Activations activations(stream.device(), model.config(), lora, DType::f32, n, Activations::Keep::nothing);
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
    if (!std::all_of(expected.begin(), expected.end(), [](float logit) { return std::isfinite(logit); }))
        throw_error(ExitCode::non_finite, "merge: base and adapter give logits that are not finite: there is nothing to compare with");
    ProbeResult result;
    result.logits = static_cast<std::int64_t>(expected.size());
    result.largest = largest_difference(probe_logits(written, {}, {}, probe, threads), expected);
    for (std::uint64_t seed = 1; seed <= draws; ++seed) {
        const ModelFiles moved(base, std::make_unique<MovedWeights>(made, type_of, seed));
        result.bound = std::max(result.bound, allowance * largest_difference(probe_logits(moved, {}, {}, probe, threads), expected));
    }
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
        // Gemma's norms are stored with 1 added, in numbers near 1.
        const float shifted = written.gguf() != nullptr && written.config().norm_plus_one && info.name.ends_with("norm.weight") ? 1.2e-7f : 0.0f;
        for (std::size_t i = 0; i < size; ++i)
            if (!(std::abs(found[i] - meant[i]) <= 1.001f * steps[i] + shifted))
                throw_error(ExitCode::internal, "{}: {} read back is {} at element {}, meant was {}: more than storing explains",
                            written.weights().describe(), info.name, found[i], i, meant[i]);
    }
}

}  // namespace temper
