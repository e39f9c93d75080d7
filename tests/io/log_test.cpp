#include "io/log.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "io/progress.h"

namespace temper {
namespace {

TEST(Log, LineHasTimeRankAndLevel) {
    EXPECT_EQ(format_log_line(LogLevel::info, "text", 3661, 0, 1, true), "01:01:01 text");
    EXPECT_EQ(format_log_line(LogLevel::info, "text", 86399, 0, 2, false), "23:59:59 [rank 0/2] text");
    EXPECT_EQ(format_log_line(LogLevel::warning, "text", 0, 1, 4, false), "00:00:00 [rank 1/4] warning: text");
    EXPECT_EQ(format_log_line(LogLevel::error, "text", 0, 0, 1, true), "00:00:00 \x1b[31merror: \x1b[0mtext");
}

struct Screen {
    std::string written;
    double now = 100;
    Console console;
    explicit Screen(bool terminal) : console([this](const std::string& text) { written += text; }, terminal, false) {}
    Progress::Clock clock() {
        return [this] { return now; };
    }
};

TEST(Console, LinesReplaceTheTransientLine) {
    Screen screen(true);
    screen.console.transient("half");
    screen.console.line("message");
    screen.console.line("another");
    EXPECT_EQ(screen.written, "\rhalf\x1b[K\r\x1b[Kmessage\nanother\n");
}

TEST(Progress, TerminalIsRedrawnTenTimesASecondAtMost) {
    Screen screen(true);
    Progress progress("train", 100, 0, screen.console, screen.clock());
    for (int step = 1; step <= 50; ++step) {
        screen.now = 100 + 0.0625 * step;  // exact in binary: every second step is 0.125 s on
        progress.update(step, 10 * step, "loss 2.5");
    }
    const auto redraws = std::count(screen.written.begin(), screen.written.end(), '\r');
    EXPECT_EQ(redraws, 25);
    screen.now = 110;
    progress.update(100, 1000, "loss 1.5");
    progress.finish();
    EXPECT_TRUE(screen.written.ends_with("\rtrain [########################] 100/100 100% 0:10 ETA 0:00 100 tokens/s loss 1.5\x1b[K\n"))
        << screen.written;
}

TEST(Progress, ElsewhereALineAnInterval) {
    Screen screen(false);
    Progress progress("eval", 400, 0, screen.console, screen.clock());
    for (int step = 1; step <= 25; ++step) {
        screen.now = 100 + step;
        progress.update(step, 0);
    }
    progress.finish();
    progress.finish();
    EXPECT_EQ(screen.written, "eval 10/400 2% 0:10 ETA 6:30\neval 20/400 5% 0:20 ETA 6:20\neval 25/400 6% 0:25 ETA 6:15\n");
}

TEST(Progress, ResumedRunCountsFromWhereItResumed) {
    Screen screen(false);
    {
        Progress progress("train", 100, 90, screen.console, screen.clock());
        screen.now = 110;
        progress.update(95, 500);
    }
    EXPECT_EQ(screen.written, "train 95/100 95% 0:10 ETA 0:10 50 tokens/s\n");
}

TEST(Progress, Durations) {
    EXPECT_EQ(format_duration(-3), "0:00");
    EXPECT_EQ(format_duration(59.6), "1:00");
    EXPECT_EQ(format_duration(3723), "1:02:03");
}

}  // namespace
}  // namespace temper
