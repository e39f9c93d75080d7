// What single fields cannot say: settings that contradict one another. Every failure is a usage error at the place of the setting.
#pragma once
#include "io/settings.h"
#include "train/config.h"

namespace temper {

void refuse_batch_sizes(const Settings& settings);
void check_config(const Config& config, const Settings& settings, TrainKind kind, const std::string& place);  // place: of the file

}  // namespace temper
