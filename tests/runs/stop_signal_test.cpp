#include "runs/stop_signal.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace temper {
namespace {

TEST(StopSignal, TheFirstOfThemIsKept) {
    install_stop_signals();
    clear_stop_request();
    EXPECT_EQ(stop_requested(), 0);
    raise(SIGUSR1);
    EXPECT_EQ(stop_requested(), SIGUSR1);
    raise(SIGTERM);
    raise(SIGUSR1);
    EXPECT_EQ(stop_requested(), SIGUSR1);
    clear_stop_request();
    raise(SIGTERM);
    EXPECT_EQ(stop_requested(), SIGTERM);
    clear_stop_request();
}

TEST(StopSignal, ASecondInterruptEndsTheProcess) {
    EXPECT_EXIT(
        {
            install_stop_signals();
            raise(SIGINT);
            raise(SIGINT);
        },
        testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace temper
