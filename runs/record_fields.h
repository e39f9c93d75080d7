// A record as named values, for the index and for comparisons: {"lora": {"r": 8}} of the configuration is config.lora.r = 8.
#pragma once
#include <functional>
#include <string>

#include "io/jsonl.h"

namespace temper {

using FieldVisitor = std::function<void(const std::string& name, const Json& value)>;
// Leaves of `value` under dotted names; lists are one text. Null is no value.
void for_each_leaf(const Json& value, const std::string& name, const FieldVisitor& visit);
// All that can be asked for of a record: its plain members, tags., metrics., params., config. ..., data.ROLE.rows, stages.NAME.seconds.
void for_each_field(const Json& record, const FieldVisitor& visit);
// Members of a JSON object without its braces: what a list of runs says of each.
std::string record_summary(const Json& record);

}  // namespace temper
