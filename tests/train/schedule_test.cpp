#include "train/schedule.h"

#include <gtest/gtest.h>

namespace temper {
namespace {

// transformers 5.23, get_wsd_schedule: its warm-up begins at min_lr_ratio, unlike that of the other schedules.
TEST(Schedule, WarmupOfWsdBeginsAtItsFloor) {
    TrainingConfig config;
    config.lr_scheduler_type = "wsd";
    config.lr_scheduler_kwargs = {{"num_decay_steps", 5}, {"min_lr_ratio", 0.1}};
    config.warmup_steps = 5;
    const double expected[] = {2e-6, 5.6e-6, 9.2e-6, 1.28e-5, 1.64e-5, 2e-5};
    for (std::int64_t step = 0; step < 6; ++step) EXPECT_NEAR(learning_rate_at(config, 2e-5, step, 20), expected[step], 1e-18) << step;
    config.lr_scheduler_kwargs.erase("min_lr_ratio");
    EXPECT_EQ(learning_rate_at(config, 2e-5, 0, 20), 0.0);
    config.lr_scheduler_type = "linear";
    config.lr_scheduler_kwargs.clear();
    EXPECT_EQ(learning_rate_at(config, 2e-5, 0, 20), 0.0);
}

}  // namespace
}  // namespace temper
