#include "kernels/stream.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <cpuid.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernels/cuda/runtime.h"
#include "kernels/op_table.h"

namespace temper {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::array<Isa, 5> kIsas = {Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx};

constexpr std::size_t round_up(std::size_t bytes, std::size_t step) { return (bytes + step - 1) / step * step; }

struct Registers {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
    Registers r;
    if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx)) return {};
    return r;
}

// Which register files the operating system saves (XCR0).
std::uint64_t saved_state() {
    std::uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (static_cast<std::uint64_t>(high) << 32) | low;
}

constexpr bool has(std::uint64_t flags, std::uint64_t wanted) { return (flags & wanted) == wanted; }
constexpr unsigned bit(int index) { return 1u << index; }

// Linux gives the tile registers only to a process that asks for them.
bool request_tile_state() {
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// x86-64-v3, x86-64-v4, AVX512_BF16 with VNNI, AMX-BF16 with AMX-INT8 as in the Intel SDM volume 2A, CPUID, and volume 1, 13.3 (XCR0).
Isa detect() {
    const Registers basic = cpuid(1, 0), extended = cpuid(7, 0), more = cpuid(7, 1), amd = cpuid(0x80000001u, 0);
    const unsigned osxsave_avx_fma_movbe_f16c = bit(27) | bit(28) | bit(12) | bit(22) | bit(29);
    const unsigned bmi1_avx2_bmi2 = bit(3) | bit(5) | bit(8);
    if (!has(basic.ecx, osxsave_avx_fma_movbe_f16c) || !has(extended.ebx, bmi1_avx2_bmi2) || !has(amd.ecx, bit(5))) return Isa::scalar;
    const std::uint64_t saved = saved_state();
    constexpr std::uint64_t vectors256 = 0x6, vectors512 = 0xe6, tiles = 0x60000;
    if (!has(saved, vectors256)) return Isa::scalar;
    const unsigned f_dq_cd_bw_vl = bit(16) | bit(17) | bit(28) | bit(30) | bit(31);
    if (!has(extended.ebx, f_dq_cd_bw_vl) || !has(saved, vectors512)) return Isa::avx2;
    if (!has(more.eax, bit(5)) || !has(extended.ecx, bit(11))) return Isa::avx512;
#ifdef TEMPER_AMX_EMULATED
    return Isa::amx;
#endif
    const unsigned amx_bf16_tile_int8 = bit(22) | bit(24) | bit(25);
    if (!has(extended.edx, amx_bf16_tile_int8) || !has(saved, tiles) || !request_tile_state()) return Isa::avx512_bf16;
    return Isa::amx;
}

char* allocate(std::size_t bytes) {
    const bool large = bytes >= kHugePage;
    const std::size_t alignment = large ? kHugePage : kLine;
    const std::size_t size = round_up(bytes, alignment);
    void* memory = std::aligned_alloc(alignment, size);
    if (memory == nullptr)
        throw_error(ExitCode::internal, "out of memory: {} MiB more are needed; use smaller batches (train.micro_batch_tokens)", size >> 20);
    if (large) madvise(memory, size, MADV_HUGEPAGE);  // only advice: without huge pages it works, slower
    return static_cast<char*>(memory);
}

char* allocate_in(Memory memory, std::size_t bytes) {
    switch (memory) {
        case Memory::host: break;
        case Memory::pinned: return static_cast<char*>(cuda::allocate_host(bytes));
        case Memory::cuda: return static_cast<char*>(cuda::allocate(bytes));
    }
    return allocate(bytes);
}

}  // namespace

const char* name_of(Isa isa) {
    switch (isa) {
        case Isa::scalar: return "scalar";
        case Isa::avx2: return "avx2";
        case Isa::avx512: return "avx512";
        case Isa::avx512_bf16: return "avx512_bf16";
        case Isa::amx: return "amx";
    }
    return "unknown";
}

Isa best_isa() {
    static const Isa best = detect();
    return best;
}

Isa parse_isa(const std::string& name) {
    if (name == "auto") return best_isa();
    for (const Isa isa : kIsas) {
        if (name != name_of(isa)) continue;
        if (isa > best_isa()) throw_error(ExitCode::usage, "isa: this machine has no {}; its best is {}", name, name_of(best_isa()));
        return isa;
    }
    throw_error(ExitCode::usage, "isa: found \"{}\", expected auto, scalar, avx2, avx512, avx512_bf16 or amx", name);
}

Stream::Stream(int threads, Isa isa) : threads_(threads), isa_(isa) {
    if (threads < 1) throw_error(ExitCode::usage, "threads: found {}, expected at least 1", threads);
}

Stream::Stream(std::unique_ptr<cuda::Context> device, int threads, Isa isa) : Stream(threads, isa) { cuda_ = std::move(device); }

Stream open_stream(const std::string& device, int local_rank, int threads, Isa isa) {
    if (device != "auto" && device != "cpu" && device != "cuda")
        throw_error(ExitCode::usage, "device: found \"{}\", expected auto, cpu or cuda", device);
    const int devices = device == "cpu" ? 0 : cuda::device_count();
    if (devices > 0 && (device == "cuda" || cuda::is_supported(local_rank % devices)))
        return Stream(std::make_unique<cuda::Context>(local_rank % devices), threads, isa);
    if (device != "cuda") return Stream(threads, isa);
    if (cuda::table() == nullptr)
        throw_error(ExitCode::usage,
                    "device: this build has no CUDA kernels, found cuda; set device to cpu or auto, or build with cmake --preset cuda where the CUDA "
                    "toolkit is");
    throw_error(ExitCode::usage, "device: no CUDA device is to be seen, found cuda; check nvidia-smi and CUDA_VISIBLE_DEVICES, or set device to cpu");
}

Stream::~Stream() { std::free(scratch_); }

void Stream::synchronize() {
    if (cuda_) cuda_->synchronize();
}

std::uint64_t Stream::mark() { return cuda_ ? cuda_->mark() : 0; }

void Stream::wait(std::uint64_t mark) {
    if (cuda_) cuda_->wait(mark);
}

void Stream::run_on_device(const std::function<void()>& body) { cuda_->run_recorded(body); }

bool Stream::keeps_graphs() const { return cuda_ && cuda_->keeps_graphs(); }

std::size_t Stream::scratch_bytes() const { return cuda_ ? cuda_->scratch_bytes() : scratch_bytes_; }

void* Stream::scratch(std::size_t bytes) {
    if (cuda_) return cuda_->scratch(bytes);
    if (bytes > scratch_bytes_ || scratch_ == nullptr) {
        std::free(scratch_);
        scratch_ = nullptr;
        scratch_bytes_ = 0;
        const std::size_t size = round_up(bytes == 0 ? 1 : bytes, kLine);
        scratch_ = allocate(size);
        scratch_bytes_ = size;
    }
    return scratch_;
}

Arena::Arena(std::size_t bytes, Memory memory) : base_(allocate_in(memory, bytes == 0 ? 1 : bytes)), memory_(memory), capacity_(bytes) {}

Arena::~Arena() {
    switch (memory_) {
        case Memory::host: std::free(base_); break;
        case Memory::pinned: cuda::release_host(base_); break;
        case Memory::cuda: cuda::release(base_); break;
    }
}

Arena::Arena(Arena&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      memory_(other.memory_),
      capacity_(std::exchange(other.capacity_, 0)),
      used_(std::exchange(other.used_, 0)) {}

Arena& Arena::operator=(Arena&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(memory_, other.memory_);
    std::swap(capacity_, other.capacity_);
    std::swap(used_, other.used_);
    return *this;
}

Arena Arena::moved(Stream& stream) const {
    Arena there(capacity_, memory_of(stream.device()));
    if (stream.device() == Device::cuda) stream.cuda().copy_in(there.base_, base_, capacity_);
    else std::memcpy(there.base_, base_, capacity_);
    return there;
}

View Arena::take(DType dtype, std::initializer_list<std::int64_t> shape) {
    View view(nullptr, dtype, shape);
    std::int64_t elements = view.elements();
    if (view.rank == 2) {
        const std::int64_t per_line = static_cast<std::int64_t>(kLine) / size_of(dtype);
        view.stride[0] = (view.shape[1] + per_line - 1) / per_line * per_line;
        view.spare = view.stride[0] - view.shape[1];
        elements = view.shape[0] * view.stride[0];
    }
    const std::size_t bytes = round_up(static_cast<std::size_t>(elements * size_of(dtype)), kLine);
    if (base_ != nullptr) {
        if (bytes > capacity_ - used_)
            throw_error(ExitCode::internal, "Arena::take: {} needs {} bytes, {} of {} are left", view.describe(), bytes, capacity_ - used_,
                        capacity_);
        view.data = base_ + used_;
        if (memory_ == Memory::cuda) view.device = Device::cuda;
    }
    used_ += bytes;
    return view;
}

}  // namespace temper
