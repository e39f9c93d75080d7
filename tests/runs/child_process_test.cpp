#include "runs/child_process.h"

#include <csignal>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runs/attempt.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

struct Ran {
    ChildEnd end;
    std::string out, err;
};

Ran run(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment = {}) {
    Ran made;
    made.end = run_child(words, environment, [&](std::string_view bytes, bool to_stderr) { (to_stderr ? made.err : made.out) += bytes; });
    return made;
}

TEST(ChildProcess, PassesOutputExitCodeAndEnvironment) {
    const Ran made = run({"sh", "-c", "echo out $TEMPER_TEST_VALUE; echo err >&2; exit 7"}, {{"TEMPER_TEST_VALUE", "a b"}});
    EXPECT_EQ(made.end.exit_code, 7);
    EXPECT_EQ(made.out, "out a b\n");
    EXPECT_EQ(made.err, "err\n");
    const Ran large = run({"sh", "-c", "head -c 3000000 /dev/zero; head -c 1000000 /dev/zero >&2"});
    EXPECT_EQ(large.out.size(), 3000000u);
    EXPECT_EQ(large.err.size(), 1000000u);
}

TEST(ChildProcess, SaysWhyNothingRan) {
    TemporaryDirectory temporary;
    EXPECT_EQ(run({"no-such-program-anywhere"}).end.exit_code, 127);
    EXPECT_EQ(run({temporary.path().string()}).end.exit_code, 126);
    EXPECT_EQ(run({temporary.path().string()}).end.start_error, EACCES);
}

TEST(ChildProcess, PassesSignalsOn) {
    std::thread sender([] {
        std::this_thread::sleep_for(std::chrono::milliseconds(700));
        ::kill(::getpid(), SIGTERM);
    });
    const Ran caught =
        run({"sh", "-c", "trap 'echo caught; exit 75' TERM; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 0.2; done"});
    sender.join();
    EXPECT_EQ(caught.end.exit_code, 75);
    EXPECT_EQ(caught.out, "caught\n");
    const Ran killed = run({"sh", "-c", "kill -9 $$"});
    EXPECT_EQ(killed.end.exit_code, 137);
    EXPECT_EQ(killed.end.signal, SIGKILL);
}

// A daemon that keeps the pipes open does not keep us.
TEST(ChildProcess, DoesNotWaitForItsChildsChildren) {
    const double begin = monotonic_seconds();
    const Ran made = run({"sh", "-c", "sleep 30 & echo $!"});
    EXPECT_EQ(made.end.exit_code, 0);
    EXPECT_LT(monotonic_seconds() - begin, 15.0);
    ::kill(std::stoi(made.out), SIGTERM);
}

}  // namespace
}  // namespace temper
