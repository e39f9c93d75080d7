// Checkpoints that are written beside the steps: what a save keeps, what a later call meets, and errors of the thread.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "kernels/error.h"
#include "train/checkpoint_writer.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

struct CheckpointWriterTest : testing::Test {
    fs::path dir = fs::temp_directory_path() /
                   ("temper-writer-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + "-" + std::to_string(::getpid()));
    CheckpointWriterTest() { fs::create_directories(dir); }
    ~CheckpointWriterTest() override { fs::remove_all(dir); }
    static TrainState state(std::int64_t step) {
        TrainState state;
        state.step = step;
        state.parameters = {1.0f, 2.0f, static_cast<float>(step)};
        state.first_moment = {3.0f, 4.0f, 5.0f};
        state.second_moment = {6.0f, 7.0f, 8.0f};
        return state;
    }
};

TEST_F(CheckpointWriterTest, the_caller_goes_on_while_it_writes) {
    CheckpointStore store(dir / "checkpoints");
    CheckpointWriter writer(store);
    std::promise<void> gate;
    writer.save(
        [&] {
            gate.get_future().wait();
            return state(1);
        },
        0, {});
    writer.check();  // nothing to say yet
    EXPECT_TRUE(store.steps().empty());
    gate.set_value();
    writer.wait();
    EXPECT_EQ(store.load(1).parameters, state(1).parameters);
}

TEST_F(CheckpointWriterTest, one_at_a_time_and_pruned) {
    CheckpointStore store(dir / "checkpoints");
    CheckpointWriter writer(store);
    for (std::int64_t step = 1; step <= 4; ++step) {
        writer.save([=] { return state(step); }, 2, {1});
        EXPECT_TRUE(step == 1 || fs::exists(store.path_of(step - 1))) << "a save waits for the one before";
    }
    writer.wait();
    EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{1, 3, 4}));
}

TEST_F(CheckpointWriterTest, an_error_is_thrown_by_the_next_call_and_once) {
    std::ofstream(dir / "checkpoints") << "a file where the directory should be";
    CheckpointStore store(dir / "checkpoints");
    CheckpointWriter writer(store);
    const auto fails = [&](const auto& call) {
        try {
            call();
            return false;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::io_error) << error.what();
            return true;
        }
    };
    writer.save([] { return state(1); }, 0, {});
    EXPECT_TRUE(fails([&] { writer.wait(); }));
    EXPECT_FALSE(fails([&] { writer.wait(); }));
    writer.save([] { return state(2); }, 0, {});
    EXPECT_TRUE(fails([&] {
        for (int i = 0; i < 10000; ++i, std::this_thread::sleep_for(std::chrono::milliseconds(1))) writer.check();
    }));
    writer.save([] { return state(3); }, 0, {});
    EXPECT_TRUE(fails([&] { writer.save([] { return state(4); }, 0, {}); }));
    writer.wait();
}

TEST_F(CheckpointWriterTest, the_end_waits) {
    CheckpointStore store(dir / "checkpoints");
    {
        CheckpointWriter writer(store);
        writer.save(
            [] {
                std::this_thread::sleep_for(std::chrono::milliseconds(50));
                return state(7);
            },
            0, {});
    }
    EXPECT_EQ(store.steps(), std::vector<std::int64_t>{7});
}

}  // namespace
}  // namespace temper
