#include "runs/registry.h"

#include <algorithm>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "io/system_calls.h"
#include "kernels/error.h"
#include "runs/gate_verdict.h"
#include "tests/runs/adapter_run.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

Json verdict_on(const std::string& adapter_bytes, bool passed, const Json& baseline = nullptr) {
    return sealed_verdict(
        Json{{"passed", passed}, {"record", {{"source", "run"}, {"adapter_sha256", sha256_hex(adapter_bytes)}}}, {"baseline", baseline}});
}

Json against(const std::string& adapter_bytes) {
    return Json{{"source", "run"}, {"adapter_sha256", adapter_bytes.empty() ? Json("") : Json(sha256_hex(adapter_bytes))}};
}

template <class Function> void expect_error(ExitCode code, const std::string& text, Function function) {
    try {
        function();
        FAIL() << "expected an error with: " << text;
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), code) << error.what();
        EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
}

TEST(Registry, AddsVersionsAndResolvesAliases) {
    TemporaryDirectory temporary;
    const Registry registry(temporary.path() / "registry");
    const fs::path first = make_adapter_run(temporary.path() / "runs", "a", "one"), second = make_adapter_run(temporary.path() / "runs", "b", "two");
    EXPECT_EQ(registry.add("tickets", first).version, 1);
    EXPECT_EQ(registry.add("tickets", second).version, 2);
    EXPECT_EQ(registry.add("tickets", first).version, 1);  // the same run again
    EXPECT_FALSE(resolve_alias(temporary.path() / "registry", "tickets", "candidate"));
    EXPECT_FALSE(resolve_alias(temporary.path() / "elsewhere", "tickets", "candidate"));
    for (int i = 0; i < 2; ++i) registry.point("tickets", "candidate", 2);
    EXPECT_EQ(registry.store("tickets").history("candidate").size(), 1u);  // the second time there is nothing to move
    const auto found = resolve_alias(temporary.path() / "registry", "tickets", "candidate");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->version, 2);
    EXPECT_EQ(found->run_id, second.filename());
    EXPECT_EQ(found->adapter, (second / "adapter").string());
    EXPECT_EQ(found->adapter_sha256, sha256_hex("two"));
    EXPECT_NO_THROW(verify_adapter(*found));
    std::ofstream(second / "adapter" / "adapter_model.safetensors") << "other";
    expect_error(ExitCode::bad_data, "changed since", [&] { verify_adapter(*found); });
    expect_error(ExitCode::bad_data, "changed after the run", [&] { registry.add("tickets", second); });
    EXPECT_EQ(registry.find("tickets", "1").run_id, first.filename());
    EXPECT_EQ(registry.find("tickets", first.filename().string()).version, 1);
    EXPECT_EQ(registry.find("tickets", "candidate").version, 2);
    expect_error(ExitCode::missing_input, "did you mean tickets", [&] { registry.find("ticket", "1"); });
    expect_error(ExitCode::missing_input, "are 1 to 2", [&] { registry.version("tickets", 3); });
    expect_error(ExitCode::usage, "model: found \"../x\"", [&] { registry.add("../x", first); });
}

TEST(Registry, ProductionMovesByAVerdictAlone) {
    TemporaryDirectory temporary;
    const Registry registry(temporary.path() / "registry");
    const fs::path first = make_adapter_run(temporary.path() / "runs", "a", "one"), second = make_adapter_run(temporary.path() / "runs", "b", "two");
    registry.add("tickets", first);
    expect_error(ExitCode::usage, "gate alone", [&] { registry.point("tickets", "production", 1); });
    expect_error(ExitCode::gate_failed, "stopped", [&] { registry.promote("tickets", "production", first, verdict_on("one", false)); });
    expect_error(ExitCode::gate_failed, "judged adapter", [&] { registry.promote("tickets", "production", first, verdict_on("two", true)); });
    EXPECT_FALSE(resolve_alias(temporary.path() / "registry", "tickets", "production"));

    EXPECT_EQ(registry.promote("tickets", "production", first, verdict_on("one", true, against(""))).model.version, 1);
    expect_error(ExitCode::gate_failed, "the base model",
                 [&] { registry.promote("tickets", "production", second, verdict_on("two", true, against(""))); });
    expect_error(ExitCode::gate_failed, "stands for version 1 now",
                 [&] { registry.promote("tickets", "production", second, verdict_on("two", true, against("three"))); });
    EXPECT_EQ(registry.store("tickets").versions().size(), 1u);  // what is refused leaves nothing
    EXPECT_EQ(registry.promote("tickets", "production", second, verdict_on("two", true, against("one"))).model.version, 2);
    registry.promote("tickets", "production", second, verdict_on("two", true, against("one")));  // again, as after a kill
    EXPECT_EQ(registry.store("tickets").history("production").size(), 2u);
    EXPECT_EQ(resolve_alias(temporary.path() / "registry", "tickets", "production")->verdict["passed"], true);
}

TEST(Registry, RollsBackStepByStep) {
    TemporaryDirectory temporary;
    const Registry registry(temporary.path() / "registry");
    for (const char* bytes : {"one", "two", "three"}) {
        const fs::path run = make_adapter_run(temporary.path() / "runs", bytes, bytes);
        registry.promote("tickets", "production", run, verdict_on(bytes, true));
    }
    EXPECT_EQ(registry.roll_back("tickets", "production").version, 2);
    EXPECT_EQ(registry.roll_back("tickets", "production").version, 1);
    expect_error(ExitCode::usage, "version 1 alone", [&] { registry.roll_back("tickets", "production"); });
    EXPECT_EQ(resolve_alias(temporary.path() / "registry", "tickets", "production")->version, 1);
    registry.promote("tickets", "production", registry.version("tickets", 3).adapter + "/..", verdict_on("three", true), true);
    EXPECT_EQ(registry.roll_back("tickets", "production").version, 1);
    std::vector<std::string> actions;
    for (const Json& move : registry.store("tickets").history("production")) actions.push_back(move.at("action"));
    EXPECT_EQ(actions, (std::vector<std::string>{"promote", "promote", "promote", "rollback", "rollback", "promote", "rollback"}));
}

// Nights with unchanged data make the same adapter again: the name stands where it stood, and a rollback leaves that adapter.
TEST(Registry, TheSameBytesAgainMoveNothingAndARollbackLeavesThem) {
    TemporaryDirectory temporary;
    const Registry registry(temporary.path() / "registry");
    const auto promote = [&](const std::string& run, const std::string& bytes, bool again = false) {
        return registry.promote("tickets", "production", make_adapter_run(temporary.path() / "runs", run, bytes), verdict_on(bytes, true), again);
    };
    promote("n1", "good");
    const Promotion bad = promote("n2", "bad"), same = promote("n3", "bad");
    EXPECT_TRUE(bad.moved);
    EXPECT_FALSE(same.moved);
    EXPECT_EQ(same.model.version, 2);
    EXPECT_EQ(same.registered, 3);
    EXPECT_EQ(registry.version("tickets", 3).verdict["passed"], true);  // kept with the run's own version
    EXPECT_EQ(
        registry.promote("tickets", "production", registry.version("tickets", 2).adapter + "/..", verdict_on("bad", true, against("bad"))).moved,
        false);
    EXPECT_EQ(registry.store("tickets").history("production").size(), 2u);
    EXPECT_EQ(registry.roll_back("tickets", "production").adapter_sha256, sha256_hex("good"));

    // What a person took away is let in again by a person alone.
    expect_error(ExitCode::gate_failed, "rolled back from this adapter", [&] { promote("n4", "bad"); });
    EXPECT_EQ(registry.store("tickets").versions().size(), 3u);
    EXPECT_EQ(promote("n5", "better").model.version, 4);
    expect_error(ExitCode::gate_failed, "--again", [&] { promote("n6", "bad"); });
    EXPECT_TRUE(promote("n7", "bad", true).moved);
    EXPECT_TRUE(promote("n8", "better").moved);
    EXPECT_TRUE(promote("n9", "bad").moved);  // it was let in again
}

// Moves that an earlier temper made from one adapter to the same one.
TEST(Registry, ARollbackPassesOverMovesBetweenTheSameBytes) {
    TemporaryDirectory temporary;
    const Registry registry(temporary.path() / "registry");
    registry.promote("tickets", "production", make_adapter_run(temporary.path() / "runs", "n1", "good"), verdict_on("good", true));
    for (const char* night : {"n2", "n3", "n4"}) {
        const RegisteredModel model = registry.add("tickets", make_adapter_run(temporary.path() / "runs", night, "bad"));
        const VersionStore store = registry.store("tickets");
        VersionStore::Writer(store).move("production", model.to_json(), "promote");
    }
    EXPECT_EQ(registry.roll_back("tickets", "production").version, 1);
    expect_error(ExitCode::usage, "version 1 alone", [&] { registry.roll_back("tickets", "production"); });
    expect_error(ExitCode::gate_failed, "rolled back from", [&] {
        registry.promote("tickets", "production", make_adapter_run(temporary.path() / "runs", "n5", "bad"), verdict_on("bad", true));
    });
}

TEST(Registry, TheSameBytesElsewhereTakeThePlaceOfAnAdapterThatIsGone) {
    TemporaryDirectory temporary;
    const Registry registry(temporary.path() / "registry");
    const fs::path first = make_adapter_run(temporary.path() / "runs", "a", "one"), second = make_adapter_run(temporary.path() / "runs", "b", "one");
    registry.promote("tickets", "production", first, verdict_on("one", true));
    fs::remove_all(first);
    EXPECT_TRUE(registry.promote("tickets", "production", second, verdict_on("one", true)).moved);
    EXPECT_EQ(resolve_alias(temporary.path() / "registry", "tickets", "production")->version, 2);
}

TEST(Registry, NoAliasMovesToAnAdapterThatCannotBeServed) {
    TemporaryDirectory temporary;
    const Registry registry(temporary.path() / "registry");
    const fs::path first = make_adapter_run(temporary.path() / "runs", "a", "one"), second = make_adapter_run(temporary.path() / "runs", "b", "two");
    for (const auto& [run, bytes] : {std::pair{first, "one"}, {second, "two"}}) {
        registry.promote("tickets", "production", run, verdict_on(bytes, true));
        registry.point("tickets", "candidate", registry.find("tickets", run.filename()).version);
    }
    std::ofstream(first / "adapter" / "adapter_model.safetensors") << "other";
    expect_error(ExitCode::bad_data, "changed since", [&] { registry.roll_back("tickets", "production"); });
    expect_error(ExitCode::bad_data, "changed since", [&] { registry.point("tickets", "candidate", 1); });
    fs::remove_all(first);
    expect_error(ExitCode::missing_input, "adapter_model.safetensors", [&] { registry.roll_back("tickets", "production"); });
    expect_error(ExitCode::missing_input, "adapter_model.safetensors", [&] { registry.point("tickets", "candidate", 1); });
    for (const char* alias : {"production", "candidate"}) {
        EXPECT_EQ(resolve_alias(temporary.path() / "registry", "tickets", alias)->version, 2);
        EXPECT_EQ(registry.store("tickets").history(alias).size(), 2u);
    }
}

// lora_alpha and the like stand in adapter_config.json, and change the numbers as the weights do.
TEST(Registry, AVersionHasItsAdaptersSettings) {
    TemporaryDirectory temporary;
    const Registry registry(temporary.path() / "registry");
    const fs::path run = make_adapter_run(temporary.path() / "runs", "a", "one");
    const RegisteredModel without = registry.add("old", run);
    EXPECT_EQ(without.adapter_config_sha256, "");
    write_durable(run / "adapter" / "adapter_config.json", R"({"lora_alpha": 8})");
    EXPECT_NO_THROW(verify_adapter(without));  // as far as it was registered
    const RegisteredModel model = registry.add("tickets", run);
    EXPECT_EQ(model.adapter_config_sha256, sha256_hex(R"({"lora_alpha": 8})"));
    EXPECT_NO_THROW(verify_adapter(registry.version("tickets", 1)));
    Json verdict = verdict_on("one", true);
    verdict["record"]["adapter_config_sha256"] = sha256_hex(R"({"lora_alpha": 80})");
    expect_error(ExitCode::gate_failed, "other settings", [&] { registry.promote("tickets", "production", run, verdict); });
    write_durable(run / "adapter" / "adapter_config.json", R"({"lora_alpha": 80})");
    EXPECT_TRUE(registry.promote("tickets", "production", run, verdict).moved);
    EXPECT_EQ(registry.store("tickets").versions().size(), 2u);  // other settings are another version
    expect_error(ExitCode::bad_data, "adapter_config.json: SHA-256", [&] { verify_adapter(registry.version("tickets", 1)); });
    fs::remove(run / "adapter" / "adapter_config.json");
    expect_error(ExitCode::missing_input, "adapter_config.json", [&] { verify_adapter(registry.version("tickets", 2)); });
}

// Of promoters that all compared with version 1, one is let in; the others' verdicts are out of date by then.
TEST(Registry, ConcurrentPromotersAreOneAfterTheOther) {
    TemporaryDirectory temporary;
    const Registry registry(temporary.path() / "registry");
    registry.promote("tickets", "production", make_adapter_run(temporary.path() / "runs", "first", "first"), verdict_on("first", true));
    std::vector<fs::path> runs;
    for (int i = 0; i < 8; ++i) runs.push_back(make_adapter_run(temporary.path() / "runs", fmt::format("r{}", i), fmt::format("bytes {}", i)));
    std::vector<int> outcome(8);
    std::vector<std::thread> promoters;
    for (std::size_t i = 0; i < 8; ++i)
        promoters.emplace_back([&, i] {
            registry.add("tickets", runs[i]);
            try {
                registry.promote("tickets", "production", runs[i], verdict_on(fmt::format("bytes {}", i), true, against("first")));
            } catch (const Error& error) {
                outcome[i] = static_cast<int>(error.code());
            }
        });
    for (std::thread& promoter : promoters) promoter.join();
    EXPECT_EQ(std::count(outcome.begin(), outcome.end(), 0), 1);
    EXPECT_EQ(std::count(outcome.begin(), outcome.end(), static_cast<int>(ExitCode::gate_failed)), 7);
    EXPECT_EQ(registry.store("tickets").versions(), (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
    EXPECT_EQ(registry.store("tickets").history("production").size(), 2u);
}

// Ends every call from the k-th on, as a kill does.
class StopsAt : public SystemCalls {
  public:
    explicit StopsAt(int k) : left_(k) {}
    int rename(const char* from, const char* to) override { return --left_ < 0 ? fail() : SystemCalls::rename(from, to); }
    int fsync(int fd) override { return --left_ < 0 ? fail() : SystemCalls::fsync(fd); }
    ssize_t write(int fd, const void* bytes, std::size_t count) override { return --left_ < 0 ? fail() : SystemCalls::write(fd, bytes, count); }
    bool reached() const { return left_ < 0; }

  private:
    static int fail() {
        errno = EIO;
        return -1;
    }
    int left_;
};

TEST(Registry, APromotionThatDiesAnywhereLeavesTheOldOrTheNewVersion) {
    bool done = false;
    for (int k = 0; !done; ++k) {
        TemporaryDirectory temporary;
        const Registry registry(temporary.path() / "registry");
        const fs::path first = make_adapter_run(temporary.path() / "runs", "a", "one"),
                       second = make_adapter_run(temporary.path() / "runs", "b", "two");
        registry.promote("tickets", "production", first, verdict_on("one", true));
        {
            StopsAt calls(k);
            const SystemCallsOverride override(calls);
            try {
                registry.promote("tickets", "production", second, verdict_on("two", true, against("one")));
            } catch (const Error&) {}
            done = !calls.reached();
        }
        const auto now = resolve_alias(temporary.path() / "registry", "tickets", "production");
        ASSERT_TRUE(now);
        EXPECT_TRUE(now->version == 1 || now->version == 2);
        EXPECT_EQ(registry.store("tickets").history("production").size(), static_cast<std::size_t>(now->version));
        EXPECT_EQ(registry.promote("tickets", "production", second, verdict_on("two", true, against("one"))).model.version, 2);
        EXPECT_EQ(registry.store("tickets").history("production").size(), 2u);
        EXPECT_EQ(registry.roll_back("tickets", "production").version, 1);
    }
}

// What a writer that no lock holds back does.
class MakesTheVersionFirst : public SystemCalls {
  public:
    int link(const char* from, const char* to) override {
        std::ofstream(to) << "another writer's";
        return SystemCalls::link(from, to);
    }
};

TEST(Registry, NoVersionIsWrittenOverAnother) {
    TemporaryDirectory temporary;
    const Registry registry(temporary.path() / "registry");
    const fs::path run = make_adapter_run(temporary.path() / "runs", "a", "one"), versions = temporary.path() / "registry" / "tickets" / "versions";
    {
        MakesTheVersionFirst calls;
        const SystemCallsOverride override(calls);
        expect_error(ExitCode::io_error, "0001.json: File exists", [&] { registry.add("tickets", run); });
    }
    EXPECT_EQ(read_file(versions / "0001.json"), "another writer's");
    EXPECT_EQ(std::distance(fs::directory_iterator(versions), fs::directory_iterator()), 1);
    fs::remove(versions / "0001.json");
    EXPECT_EQ(registry.add("tickets", run).version, 1);
    // A folder that cannot be listed has no known versions, rather than none.
    fs::rename(versions, temporary.path() / "aside");
    fs::create_symlink("versions", versions);
    expect_error(ExitCode::io_error, "cannot be listed", [&] { registry.store("tickets").versions(); });
}

TEST(Registry, AVerdictThatWasEditedIsRefused) {
    TemporaryDirectory temporary;
    const fs::path path = temporary.path() / "verdict.json";
    Json verdict = verdict_on("one", false);
    write_durable(path, verdict.dump());
    EXPECT_EQ(read_verdict(path).at("passed"), false);
    verdict["passed"] = true;
    write_durable(path, verdict.dump());
    expect_error(ExitCode::bad_data, "changed after", [&] { read_verdict(path); });
    write_durable(path, "{}");
    expect_error(ExitCode::bad_data, "no verdict", [&] { read_verdict(path); });
}

}  // namespace
}  // namespace temper
