#include "train/checkpoint.h"

#include <cstring>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

TrainState state_of(std::int64_t step) {
    TrainState state;
    state.step = step;
    for (int i = 0; i < 57; ++i) {
        state.parameters.push_back(static_cast<float>(step) + 0.25f * static_cast<float>(i));
        state.first_moment.push_back(-state.parameters.back());
        state.second_moment.push_back(state.parameters.back() * state.parameters.back());
    }
    state.cursor = {{"epoch", 1}, {"row", step * 16}, {"metrics_length", 123}, {"best", {{"step", 1}, {"value", 0.1}}}};
    return state;
}

void expect_same(const TrainState& found, const TrainState& meant) {
    EXPECT_EQ(found.step, meant.step);
    EXPECT_EQ(found.parameters, meant.parameters);
    EXPECT_EQ(found.first_moment, meant.first_moment);
    EXPECT_EQ(found.second_moment, meant.second_moment);
    EXPECT_EQ(found.cursor.dump(), meant.cursor.dump());
    EXPECT_EQ(found.algorithms, meant.algorithms);
}

ExitCode code_of(const std::function<void()>& function, std::string* message = nullptr) {
    try {
        function();
    } catch (const Error& error) {
        if (message) *message = error.what();
        return error.code();
    }
    return ExitCode::done;
}

void overwrite(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes; }

// Two checkpoints, of which the newer is damaged by each test.
struct Checkpoints : testing::Test {
    TemporaryDirectory temporary;
    fs::path dir = temporary.path() / "checkpoints";
    std::vector<std::string> logged;
    CheckpointStore store{dir, {}, [this](const std::string& text) { logged.push_back(text); }};

    void save_two() {
        store.save(state_of(100));
        store.save(state_of(200));
    }
    void expect_fallback(const std::string& damage) {
        logged.clear();
        CheckpointStore fresh(dir, {}, [this](const std::string& text) { logged.push_back(text); });
        const std::optional<TrainState> found = fresh.load_newest();
        ASSERT_TRUE(found) << damage;
        ASSERT_EQ(found->step, 100) << damage << " went unnoticed";
        ASSERT_EQ(logged.size(), 1u) << damage;
        ASSERT_NE(logged[0].find("step-00000200"), std::string::npos) << damage << ": " << logged[0];
    }
};

TEST_F(Checkpoints, GiveBackAlgorithmsByteByByte) {
    TrainState state = state_of(100);
    for (int byte = 0; byte < 256; ++byte) state.algorithms.push_back(static_cast<char>(byte));
    const TrainState meant = state;
    store.save(std::move(state));
    expect_same(*store.load_newest(), meant);
}

TEST_F(Checkpoints, GiveBackWhatWasSaved) {
    EXPECT_FALSE(store.load_newest());
    const fs::path path = store.save(state_of(100));
    EXPECT_EQ(path.filename(), "step-00000100");
    expect_same(*store.load_newest(), state_of(100));
    store.save(state_of(200));
    expect_same(*store.load_newest(), state_of(200));
    expect_same(store.load(100), state_of(100));
    expect_same(load_checkpoint(path), state_of(100));
    EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{100, 200}));
    EXPECT_TRUE(logged.empty());
}

TEST_F(Checkpoints, TheSameStateGivesTheSameBytes) {
    store.save(state_of(7));
    CheckpointStore other(temporary.path() / "other");
    other.save(state_of(7));
    for (const char* name : {"state.h5", "manifest.json"}) {
        EXPECT_EQ(read_file(store.path_of(7) / name), read_file(other.path_of(7) / name)) << name;
    }
}

TEST_F(Checkpoints, OfMoreThanEightDigitsAndOtherNames) {
    store.save(state_of(123456789));
    fs::create_directory(dir / "step-12");  // not a name of ours
    fs::create_directory(dir / "step-0000000x");
    fs::create_directory(dir / ".stage-step-00000300-1");
    EXPECT_EQ(store.steps(), std::vector<std::int64_t>{123456789});
}

TEST_F(Checkpoints, EveryBitOfTheManifestCounts) {
    save_two();
    const fs::path path = store.path_of(200) / "manifest.json";
    const std::string good = read_file(path);
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        overwrite(path, bad);
        expect_fallback(fmt::format("bit {} of manifest.json", bit));
        if (HasFatalFailure()) return;
    }
}

TEST_F(Checkpoints, FlippedBitsOfTheBodyAreSeen) {
    save_two();
    const fs::path path = store.path_of(200) / "state.h5";
    const std::string good = read_file(path);
    std::mt19937_64 random(1);
    for (int round = 0; round < 1000; ++round) {
        const std::size_t bit = round < 400 ? static_cast<std::size_t>(round) : random() % (good.size() * 8);  // the header's first bits, then any
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        overwrite(path, bad);
        expect_fallback(fmt::format("bit {} of state.h5", bit));
        if (HasFatalFailure()) return;
    }
}

TEST_F(Checkpoints, TornFilesAreSeen) {
    save_two();
    for (const char* name : {"state.h5", "manifest.json"}) {
        const fs::path path = store.path_of(200) / name;
        const std::string good = read_file(path);
        for (std::size_t length = 0; length < good.size(); length += length < 64 || length + 65 > good.size() ? 1 : 61) {
            overwrite(path, good.substr(0, length));
            expect_fallback(fmt::format("{} cut to {} bytes", name, length));
            overwrite(path, good.substr(0, length) + std::string(good.size() - length, '\0'));  // a hole where pages never reached the disk
            if (good[good.size() - 1] != '\0' || length + 8 < good.size()) {
                if (read_file(path) != good) expect_fallback(fmt::format("{} with zeros from {}", name, length));
            }
            if (HasFatalFailure()) return;
        }
        overwrite(path, good + "x");
        expect_fallback(fmt::format("{} with a byte more", name));
        fs::remove(path);
        expect_fallback(fmt::format("{} removed", name));
        fs::create_directory(path);
        expect_fallback(fmt::format("{} a directory", name));
        fs::remove(path);
        overwrite(path, good);
    }
    EXPECT_EQ(store.load_newest()->step, 200);
}

TEST_F(Checkpoints, AnotherStepsFilesAreSeen) {
    save_two();
    for (const char* name : {"state.h5", "manifest.json"}) {
        const std::string good = read_file(store.path_of(200) / name);
        overwrite(store.path_of(200) / name, read_file(store.path_of(100) / name));
        expect_fallback(fmt::format("{} of step 100", name));
        if (std::strcmp(name, "state.h5") == 0) overwrite(store.path_of(200) / name, good);
    }
    overwrite(store.path_of(200) / "state.h5", read_file(store.path_of(100) / "state.h5"));
    expect_fallback("both files of step 100");
}

TEST_F(Checkpoints, OfAnotherFormatAreNamed) {
    save_two();
    const fs::path path = store.path_of(200) / "manifest.json";
    Json manifest = parse_json(read_file(path), "manifest");
    manifest["format_version"] = 99;
    manifest.erase("sha256");
    manifest["sha256"] = sha256_hex(manifest.dump(2));
    overwrite(path, manifest.dump(2) + "\n");
    expect_fallback("format_version 99");
    EXPECT_NE(logged[0].find("format_version 99, expected 1"), std::string::npos) << logged[0];
}

TEST_F(Checkpoints, NoneReadableIsNotNone) {
    save_two();
    for (const std::int64_t step : store.steps()) overwrite(store.path_of(step) / "state.h5", "torn");
    std::string message;
    EXPECT_EQ(code_of([&] { store.load_newest(); }, &message), ExitCode::no_checkpoint);
    EXPECT_NE(message.find("none of 2"), std::string::npos) << message;
    EXPECT_EQ(logged.size(), 2u);
    EXPECT_EQ(code_of([&] { load_checkpoint(store.path_of(100)); }), ExitCode::no_checkpoint);
    EXPECT_EQ(code_of([&] { load_checkpoint(temporary.path() / "none"); }), ExitCode::no_checkpoint);
}

TEST_F(Checkpoints, ADamagedOneIsReplacedAndAGoodOneKept) {
    store.save(state_of(100));
    const auto written = fs::last_write_time(store.path_of(100) / "state.h5");
    store.save(state_of(100));
    EXPECT_EQ(fs::last_write_time(store.path_of(100) / "state.h5"), written);
    overwrite(store.path_of(100) / "state.h5", "torn");
    store.save(state_of(100));
    expect_same(*store.load_newest(), state_of(100));
    TrainState other = state_of(100);
    other.cursor["metrics_length"] = 124;
    store.save(other);
    expect_same(*store.load_newest(), other);
    EXPECT_EQ(std::distance(fs::directory_iterator(dir), fs::directory_iterator()), 1);
}

TEST_F(Checkpoints, PruningCountsOnlyWhatCanBeRead) {
    for (const std::int64_t step : {1, 2, 3, 4, 5, 6, 7, 8}) store.save(state_of(step));
    CheckpointStore resumed(dir);
    resumed.load(2);
    overwrite(store.path_of(7) / "state.h5", "torn");
    resumed.prune(0);
    EXPECT_EQ(store.steps().size(), 8u);
    resumed.prune(2, {4});
    EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{2, 4, 6, 7, 8}));  // 8 and 6 are the two; 2 was resumed from, 4 is the best
    EXPECT_EQ(std::distance(fs::directory_iterator(dir), fs::directory_iterator()), 5);
    resumed.prune(1, {4});
    EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{2, 4, 8}));
}

TEST_F(Checkpoints, LaterOnesAreSetAsideUntilANewOneHasPassedThem) {
    for (const std::int64_t step : {1, 2, 5}) store.save(state_of(step));
    store.set_aside_after(2);
    EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{1, 2}));
    EXPECT_EQ(store.load_newest()->step, 2);
    const fs::path aside = dir / "aside-step-00000005";
    EXPECT_TRUE(fs::exists(aside / "state.h5"));
    store.save(state_of(4));
    store.prune(1);
    EXPECT_TRUE(fs::exists(aside));
    store.save(state_of(6));
    store.prune(1);
    EXPECT_FALSE(fs::exists(aside));
    EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{2, 6}));  // 2 was resumed from
}

TEST_F(Checkpoints, ADirectoryThatCannotBeListedIsNoRunWithoutCheckpoints) {
    store.save(state_of(1));
    fs::remove_all(dir);
    EXPECT_FALSE(store.load_newest());
    std::ofstream(dir) << "a file";
    EXPECT_EQ(code_of([&] { store.load_newest(); }), ExitCode::io_error);
}

TEST_F(Checkpoints, AStaleOwnerCannotSave) {
    const fs::path staging = temporary.path() / ".stage-0001";
    fs::create_directory(staging);
    CheckpointStore stale(dir, staging);
    stale.save(state_of(1));
    fs::rename(staging, temporary.path() / ".revoked-0001");
    EXPECT_EQ(code_of([&] { stale.save(state_of(2)); }), ExitCode::run_locked);
    EXPECT_EQ(store.steps(), std::vector<std::int64_t>{1});
}

}  // namespace
}  // namespace temper
