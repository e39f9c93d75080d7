// dump_logits MODEL ADAPTER IDS OUT [DEVICE]: float32 logits of one row of token ids (numbers separated by spaces) as tensor "logits" of a
// safetensors file. For comparisons with other engines. ADAPTER "none" leaves the base; DEVICE is cpu, or cuda.
#include <algorithm>
#include <cstdio>
#include <numeric>
#include <sstream>

#include "kernels/staged.h"
#include "model/decoder.h"
#include "model/extended_model.h"

using namespace temper;

int main(int argc, char** argv) try {
    if (argc != 5 && argc != 6) throw Error(ExitCode::usage, "usage: dump_logits MODEL ADAPTER IDS OUT [DEVICE]");
    const std::string adapter = argv[2];
    std::vector<std::int32_t> ids;
    std::istringstream text(argv[3]);
    for (std::int32_t id; text >> id;) ids.push_back(id);
    const auto n = static_cast<std::int64_t>(ids.size());
    AdaptedModel adapted = open_adapted_model(argv[1], adapter == "none" ? "" : adapter);
    const ModelFiles& files = adapted.files();
    const LoraLayout& lora = adapted.lora;
    Stream stream = open_stream(argc == 6 ? argv[5] : "cpu", 0, 2, best_isa());
    Decoder decoder(stream, files, lora, {DType::f32, false, n});
    if (!adapted.parameters.empty()) decoder.refresh_adapter(View(adapted.parameters.data(), DType::f32, {lora.parameters}));
    Staged tokens, positions, logits;
    const auto cut = [&](StagedArena& arena) {
        tokens = arena.take_staged(DType::i32, {n});
        positions = arena.take_staged(DType::i32, {n});
        logits = arena.take_staged(DType::f32, {n, files.config().vocab_size});
    };
    StagedArena arena(stream.device());
    cut(arena);
    arena = arena.allocated();
    cut(arena);
    std::copy(ids.begin(), ids.end(), tokens.host.as<std::int32_t>());
    std::iota(positions.host.as<std::int32_t>(), positions.host.as<std::int32_t>() + n, 0);
    for (const Staged* numbers : {&tokens, &positions}) send(stream, *numbers);
    TokenBatch batch;
    batch.ids = tokens.device;
    batch.positions = positions.device;
    Segment segment;
    segment.length = n;
    batch.segments = {segment};
    Activations activations(stream.device(), files.config(), lora, DType::f32, n, Activations::Keep::all);
    const View hidden = decoder.forward(batch, activations);
    ops::linear(stream, logits.device, hidden, decoder.head(), View());
    if (files.config().logit_softcap > 0.0) ops::softcap(stream, logits.device, static_cast<float>(files.config().logit_softcap));
    fetch(stream, logits);
    stream.synchronize();
    write_safetensors(argv[4], {{"logits", logits.host}});
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "dump_logits: %s\n", error.what());
    return 1;
}
