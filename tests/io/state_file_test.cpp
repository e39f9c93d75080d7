#include "io/hdf5/state_file.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <limits>

#include <gtest/gtest.h>
#include <unistd.h>

#include "io/durable.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

State sample() {
    State state;
    for (int layer = 0; layer < 30; ++layer) {
        const std::string name = fmt::format("model.layers.{}.self_attn.q_proj.lora_A.weight", layer);
        auto& values = state.floats["adapter/" + name];
        for (int i = 0; i < 100 + layer; ++i) values.push_back(static_cast<float>(i) * 0.1f - static_cast<float>(layer));
        state.floats["optimizer/exp_avg/" + name] = values;
        state.bf16s["kept/" + name] = std::vector<std::uint16_t>(7, static_cast<std::uint16_t>(0x3f80 + layer));
    }
    state.floats["special"] = {-0.0f, std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::infinity(), 3.4e38f};
    state.floats["none"] = {};
    state.integers["cursor"] = {0, -1, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
    state.texts = {{"config", "{\"r\": 16}"}, {"empty", ""}, {"unicode", "\xc3\xa4\xe2\x80\xa8"}, {"long", std::string(1000000, 'x')}};
    for (int i = 0; i < 20; ++i) state.texts[fmt::format("text {}", i)] = fmt::format("{}", i);
    return state;
}

void expect_equal(const State& a, const State& b) {
    EXPECT_TRUE(a.floats == b.floats);
    EXPECT_TRUE(a.bf16s == b.bf16s);
    EXPECT_TRUE(a.integers == b.integers);
    EXPECT_TRUE(a.texts == b.texts);
}

TEST(StateFile, GivesBackWhatItTook) {
    const State state = sample();
    const State back = decode_state(encode_state(state), "state.h5");
    expect_equal(state, back);
    EXPECT_TRUE(std::signbit(back.floats.at("special")[0]));
    expect_equal(decode_state(encode_state(State{}), "empty.h5"), State{});
}

TEST(StateFile, SameStateSameBytes) {
    const std::string first = encode_state(sample());
    ::setenv("TZ", "Pacific/Auckland", 1);
    std::vector<std::string> dirt;  // memory that is not fresh
    for (int i = 0; i < 50; ++i) dirt.emplace_back(static_cast<std::size_t>(1000 * i + 100), '\xa5');
    dirt.clear();
    struct timespec pause = {1, 100000000};  // HDF5 notes times in seconds
    ::nanosleep(&pause, nullptr);
    EXPECT_TRUE(first == encode_state(sample()));
    State other = sample();
    other.integers["cursor"][0] = 1;
    EXPECT_FALSE(first == encode_state(other));
}

TEST(StateFile, RefusesOtherFiles) {
    EXPECT_ERROR(decode_state("", "state.h5"), ExitCode::bad_data, "state.h5: 0 bytes");
    EXPECT_ERROR(decode_state("garbage", "state.h5"), ExitCode::bad_data, "state.h5: it is not an HDF5 file");
    EXPECT_ERROR(decode_state(std::string(100000, '\x5a'), "state.h5"), ExitCode::bad_data, "state.h5: it is not an HDF5 file");
}

TEST(StateFile, EveryTruncationIsRefused) {
    State small;
    small.floats["a/b"] = {1, 2, 3};
    small.bf16s["c"] = {4};
    small.texts["t"] = "text";
    const std::string whole = encode_state(small);
    expect_equal(decode_state(whole, "whole.h5"), small);
    for (std::size_t length = 0; length < whole.size(); length += length < 1024 || length + 64 > whole.size() ? 1 : 61) {
        const auto error = testing::caught([&] { decode_state(std::string_view(whole).substr(0, length), "cut.h5"); });
        EXPECT_EQ(error.code, ExitCode::bad_data) << length << " of " << whole.size();
    }
}

// How many images with one byte inverted are refused; -1 when one is refused with another code.
int count_refused(const std::string& whole) {
    int refused = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::string flipped = whole;
        flipped[i] = static_cast<char>(~flipped[i]);
        try {
            decode_state(flipped, "flipped.h5");
        } catch (const Error& error) {
            if (error.code() != ExitCode::bad_data) return -1;
            ++refused;
        }
    }
    return refused;
}

// In a process of its own: the library keeps what it could not close of a broken file, and complains when the process ends.
TEST(StateFile, FlippedBytesNeverCrash) {
    State small;
    small.floats["a"] = std::vector<float>(16, 1.0f);
    small.texts["t"] = "text";
    const std::string whole = encode_state(small);
    expect_equal(decode_state(whole, "whole.h5"), small);
    EXPECT_EXIT(::_exit(count_refused(whole) > 100 ? 0 : 1), ::testing::ExitedWithCode(0), "");
}

TEST(StateFile, IsReadByH5py) {
    if (std::system("python3 -c 'import h5py' 2>/dev/null") != 0) GTEST_SKIP() << "python3 has no h5py here";
    const TemporaryDirectory directory;
    write_durable(directory / "state.h5", encode_state(sample()));
    const std::string script = R"(
import sys, h5py, numpy
file = h5py.File(sys.argv[1], "r")
assert file.attrs["format_version"] == 1
text = file.attrs["config"]
assert (text.decode() if isinstance(text, bytes) else text) == '{"r": 16}', text
assert file["cursor"][:].tolist() == [0, -1, -2**63, 2**63 - 1]
layer = file["adapter/model.layers.3.self_attn.q_proj.lora_A.weight"]
assert layer.dtype == numpy.float32 and layer.shape == (103,) and layer.chunks is None
assert layer[5] == numpy.float32(5) * numpy.float32(0.1) - 3
kept = file["kept/model.layers.3.self_attn.q_proj.lora_A.weight"]
assert kept.dtype == numpy.uint16 and kept[0] == 0x3f83 and kept.attrs["dtype"] in ("bfloat16", b"bfloat16")
)";
    directory.put("check.py", script);
    EXPECT_EQ(std::system(fmt::format("python3 {} {}", (directory / "check.py").string(), (directory / "state.h5").string()).c_str()), 0);
}

}  // namespace
}  // namespace temper
