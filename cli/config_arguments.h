// CONFIG.yaml and key=value as they stand among the positional arguments, in any order.
#pragma once
#include <string>
#include <vector>

#include "cli/command.h"
#include "train/config.h"

namespace temper {

struct ConfigArguments {
    std::vector<std::string> words;

    void add_to(Command& command);
    // Reads the file, applies the overrides, logs the notes. Usage Error unless exactly one word names a file.
    Config load(TrainKind kind, ConfigNotes& notes) const;
};

}  // namespace temper
