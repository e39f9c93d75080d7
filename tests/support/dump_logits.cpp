// dump_logits MODEL ADAPTER IDS OUT: float32 logits of one row of token ids (numbers separated by spaces) as tensor "logits" of a
// safetensors file. For comparisons with other engines. ADAPTER "none" leaves the base.
#include <cstdio>
#include <sstream>

#include "model/decoder.h"
#include "model/extended_model.h"

using namespace temper;

int main(int argc, char** argv) try {
    if (argc != 5) throw Error(ExitCode::usage, "usage: dump_logits MODEL ADAPTER IDS OUT");
    const std::string adapter = argv[2];
    std::vector<std::int32_t> ids, positions;
    std::istringstream text(argv[3]);
    for (std::int32_t id; text >> id;) {
        positions.push_back(static_cast<std::int32_t>(ids.size()));
        ids.push_back(id);
    }
    const auto n = static_cast<std::int64_t>(ids.size());
    AdaptedModel adapted = open_adapted_model(argv[1], adapter == "none" ? "" : adapter);
    const ModelFiles& files = adapted.files();
    const LoraLayout& lora = adapted.lora;
    std::vector<float>& parameters = adapted.parameters;
    Stream stream(2);
    Decoder decoder(stream, files, lora, {DType::f32, false, n});
    if (!parameters.empty()) decoder.refresh_adapter(View(parameters.data(), DType::f32, {lora.parameters}));
    TokenBatch batch;
    batch.ids = View(ids.data(), DType::i32, {n});
    batch.positions = View(positions.data(), DType::i32, {n});
    Segment segment;
    segment.length = n;
    batch.segments = {segment};
    Activations activations(Device::cpu, files.config(), lora, DType::f32, n, Activations::Keep::all);
    const View hidden = decoder.forward(batch, activations);
    std::vector<float> logits(static_cast<std::size_t>(n * files.config().vocab_size));
    const View out(logits.data(), DType::f32, {n, files.config().vocab_size});
    ops::linear(stream, out, hidden, decoder.head(), View());
    if (files.config().logit_softcap > 0.0) ops::softcap(stream, out, static_cast<float>(files.config().logit_softcap));
    write_safetensors(argv[4], {{"logits", out}});
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "dump_logits: %s\n", error.what());
    return 1;
}
