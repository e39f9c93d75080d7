#include "kernels/cuda/commands.h"

#include <string_view>

#include "kernels/error.h"

namespace temper::cuda {
namespace {

constexpr std::size_t kAlignment = 16;

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

char* Commands::add(Issue issue, std::size_t payload_bytes) {
    static_assert(sizeof(Header) == kAlignment);
    const Header header{issue, aligned(payload_bytes)};
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof header + header.payload_bytes);
    std::memcpy(bytes_.data() + at, &header, sizeof header);
    ++count_;
    return bytes_.data() + at + sizeof header;
}

void Commands::issue_all(Context& context) const {
    for (std::size_t at = 0; at < bytes_.size();) {
        Header header;
        std::memcpy(&header, bytes_.data() + at, sizeof header);
        header.issue(context, bytes_.data() + at + sizeof header);
        at += sizeof header + header.payload_bytes;
    }
}

void Commands::clear() {
    bytes_.clear();
    count_ = 0;
}

bool Commands::operator==(const Commands& other) const {
    return bytes_.size() == other.bytes_.size() && std::memcmp(bytes_.data(), other.bytes_.data(), bytes_.size()) == 0;
}

std::uint64_t Commands::hash() const { return std::hash<std::string_view>{}({bytes_.data(), bytes_.size()}); }

void add_launch(Commands& commands, Commands::Issue issue, RecordedLaunch launch, Span<const Argument> arguments) {
    if (arguments.size() >= kMostArguments)
        throw_error(ExitCode::internal, "a kernel has {} arguments, fewer than {} can be recorded", arguments.size(), kMostArguments);
    launch.arguments = static_cast<std::int64_t>(arguments.size());
    const std::size_t sizes = aligned(sizeof launch), first = aligned(sizes + arguments.size() * sizeof(std::size_t));
    std::size_t bytes = first;
    for (const Argument& argument : arguments) bytes += aligned(argument.bytes);
    char* const payload = commands.add(issue, bytes);
    std::memcpy(payload, &launch, sizeof launch);
    std::size_t at = first;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        std::memcpy(payload + sizes + i * sizeof(std::size_t), &arguments[i].bytes, sizeof(std::size_t));
        std::memcpy(payload + at, arguments[i].value, arguments[i].bytes);
        at += aligned(arguments[i].bytes);
    }
}

RecordedLaunch launch_of(const char* payload) {
    RecordedLaunch launch;
    std::memcpy(&launch, payload, sizeof launch);
    return launch;
}

std::array<void*, kMostArguments> arguments_of(const char* payload) {
    const auto count = static_cast<std::size_t>(launch_of(payload).arguments);
    const std::size_t sizes = aligned(sizeof(RecordedLaunch));
    std::array<void*, kMostArguments> arguments{};
    std::size_t at = aligned(sizes + count * sizeof(std::size_t));
    for (std::size_t i = 0; i < count; ++i) {
        std::size_t bytes;
        std::memcpy(&bytes, payload + sizes + i * sizeof bytes, sizeof bytes);
        arguments[i] = const_cast<char*>(payload) + at;  // the CUDA runtime takes pointers to what it only reads
        at += aligned(bytes);
    }
    return arguments;
}

}  // namespace temper::cuda
