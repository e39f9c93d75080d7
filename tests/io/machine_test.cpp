#include "io/machine.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace temper {
namespace {

TEST(Machine, RanksShareTheCores) {
    EXPECT_EQ(share_of_cores(8, 8, 0), 8);  // no launcher
    EXPECT_EQ(share_of_cores(3, 8, 1), 3);
    EXPECT_EQ(share_of_cores(8, 8, 2), 4);    // not bound
    EXPECT_EQ(share_of_cores(1, 8, 2), 1);    // bound to a core each
    EXPECT_EQ(share_of_cores(8, 16, 4), 4);   // two of them bound to each of two sockets
    EXPECT_EQ(share_of_cores(4, 64, 16), 4);  // cores of its own, as a batch system gives them
    EXPECT_EQ(share_of_cores(2, 2, 5), 1);
}

class Threads : public ::testing::Test {
  protected:
    Threads() { unsetenv("OMP_NUM_THREADS"), unsetenv("OMPI_COMM_WORLD_LOCAL_SIZE"); }
    ~Threads() override { unsetenv("OMP_NUM_THREADS"), unsetenv("OMPI_COMM_WORLD_LOCAL_SIZE"); }
};

TEST_F(Threads, TheSettingThenTheEnvironmentThenTheShare) {
    setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "100000", 1);
    EXPECT_EQ(resolve_threads(0), 1);
    EXPECT_EQ(ranks_on_this_host(3), 3);
    setenv("OMP_NUM_THREADS", "5", 1);
    EXPECT_EQ(resolve_threads(0), 5);
    EXPECT_EQ(resolve_threads(7), 7);
}

}  // namespace
}  // namespace temper
