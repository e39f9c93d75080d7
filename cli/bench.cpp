#include <cstdio>
#include <memory>

#include "cli/bench_suite.h"
#include "cli/bench_worker.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "io/jsonl.h"
#include "io/machine.h"
#include "io/result_line.h"
#include "kernels/cuda/runtime.h"
#include "kernels/error.h"
#include "kernels/peak.h"

namespace temper {
namespace {

struct Arguments {
    std::string device = "auto";
    std::int64_t threads = 0;
    bool json = false;
};

bool runs_here(Isa isa) {
    try {
        return parse_isa(name_of(isa)) == isa;
    } catch (const Error&) {
        return false;
    }
}

int device_peak(Stream& stream, bool json) {
    const cuda::DeviceProperties device = stream.cuda().device();
    std::printf("%s (%d.%d, %d multiprocessors)\n", device.name.c_str(), device.major, device.minor, device.multiprocessors);
    Json rates = Json::object();
    for (const auto& [name, dtype] : {std::pair{"bfloat16", DType::bf16}, {"float32", DType::f32}}) {
        const double flops = peak_flops(stream, dtype);
        if (!(flops > 0.0))
            throw_error(ExitCode::usage, "bench peak: {} MiB of {} are free, too little to measure with; use a device that nobody else uses",
                        device.free_bytes >> 20, device.name);
        std::printf("%-12s %10.3f TFLOP/s, the largest of the library's products\n", name, flops * 1e-12);
        rates[name] = flops;
    }
    const double copied = copy_bandwidth(stream);
    std::printf("%-12s %10.3f GB/s, read and written\n", "copy", copied * 1e-9);
    if (json)
        print_result(Json{{"status", "done"},
                          {"device", "cuda"},
                          {"name", device.name},
                          {"compute_capability", fmt::format("{}.{}", device.major, device.minor)},
                          {"memory_bytes", device.memory_bytes},
                          {"flops_per_second", rates},
                          {"copy_bytes_per_second", copied}});
    return 0;
}

int peak(const Arguments& arguments) {
    if (arguments.threads < 0)
        throw_error(ExitCode::usage, "--threads: expected a number of threads, or 0 for all cores, found {}", arguments.threads);
    const int threads = resolve_threads(arguments.threads);
    if (Stream chosen = open_stream(arguments.device, 0, threads, best_isa()); chosen.device() == Device::cuda)
        return device_peak(chosen, arguments.json);
    Json rates = Json::object();
    const auto report = [&](const std::string& name, double flops) {
        std::printf("%-12s %8.1f GFLOP/s\n", name.c_str(), flops * 1e-9);
        rates[name] = flops;
    };
    std::printf("%d threads, multiply-adds on registers alone\n", threads);
    for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx}) {
        if (!runs_here(isa)) continue;
        Stream stream(threads, isa);
        report(name_of(isa), peak_flops(stream, DType::bf16));
    }
    if (arguments.json)
        print_result(Json{{"status", "done"}, {"device", "cpu"}, {"threads", threads}, {"best", name_of(best_isa())}, {"flops_per_second", rates}});
    return 0;
}

}  // namespace

void add_bench(Command& temper) {
    auto arguments = std::make_shared<Arguments>();
    Command& bench = temper.command("bench", "Measures this machine.");
    Command& command =
        bench.command("peak", "The rate of multiply-adds of each instruction set, or of a CUDA device: the denominator of share_of_peak.");
    command.option("--device", arguments->device, "NAME", "What is measured: auto, cpu, cuda.");
    command.option("--threads", arguments->threads, "N", "Threads; 0 takes OMP_NUM_THREADS or the cores allowed.");
    command.flag("--json", arguments->json, "One object as the last line of stdout.");
    command.runs([arguments] { return peak(*arguments); });
    add_bench_suite(bench);
    add_bench_worker(bench);
}

}  // namespace temper
