// What a control group leaves free of memory, by the files of both versions.
#include "io/control_group.h"

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

class ControlGroupTest : public ::testing::Test {
  protected:
    void put(const char* name, const std::string& text) const { directory_.put(name, text); }

    TemporaryDirectory directory_;
    std::filesystem::path group_ = directory_.path();
};

TEST_F(ControlGroupTest, WhatIsInUseIsNotFree) {
    EXPECT_EQ(memory_room(group_), INT64_MAX);
    put("memory.max", "max\n");
    put("memory.current", "700\n");
    EXPECT_EQ(memory_room(group_), INT64_MAX);
    put("memory.max", "1000\n");
    EXPECT_EQ(memory_room(group_), 300);
    put("memory.stat", "anon 500\ninactive_file 150\nactive_file 50\n");
    EXPECT_EQ(memory_room(group_), 450);
    put("memory.current", "1400\n");  // above the limit, for as long as reclaiming takes
    EXPECT_EQ(memory_room(group_), 0);
}

TEST_F(ControlGroupTest, Version1HasNamesOfItsOwn) {
    put("memory.limit_in_bytes", "1000\n");
    put("memory.usage_in_bytes", "700\n");
    put("memory.stat", "cache 300\ninactive_file 50\ntotal_cache 300\ntotal_inactive_file 100\n");
    EXPECT_EQ(memory_room(group_), 400);
    put("memory.limit_in_bytes", "9223372036854771712\n");  // none
    EXPECT_GT(memory_room(group_), std::int64_t(1) << 60);
}

TEST_F(ControlGroupTest, ThisProcessHasSomeRoom) { EXPECT_GT(memory_room_of_groups(), 0); }

}  // namespace
}  // namespace temper
