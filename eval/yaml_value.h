// YAML nodes as the values that PyYAML's safe loader makes of them (YAML 1.1): what task files for lm-evaluation-harness mean.
#pragma once
#include "io/jsonl.h"
#include "io/yaml.h"

namespace temper {

// yes, no, on and off are truths, 1_000, 0x1f and 017 numbers, 1e3 (without a point) a text. bad_data with the place for NaN and infinity.
Json yaml_value(const YamlNode& node, const std::string& place);

}  // namespace temper
