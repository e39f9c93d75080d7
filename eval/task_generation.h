// generation_kwargs of a task file.
#pragma once
#include "eval/field_reader.h"
#include "eval/task_config.h"

namespace temper {

// bad_data for what is not known, or would change the texts and is not done here. Settings of transformers' generate() are accepted where they change
// nothing.
TaskGeneration read_generation(const FieldReader& kwargs);

}  // namespace temper
