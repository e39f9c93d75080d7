// MongoDB's extended JSON, as mongoexport writes it, as plain values.
#pragma once
#include "io/jsonl.h"

namespace temper {

// In place, at any depth: {"$oid"}, {"$uuid"}, {"$symbol"}, {"$code"} become texts, {"$date"} and {"$timestamp"} ISO 8601 in UTC, {"$numberInt"},
// {"$numberLong"}, {"$numberDouble"}, {"$numberDecimal"} numbers (NaN and infinities null), {"$binary"} of a UUID its text, of anything else the base64
// text, {"$regularExpression"} "/pattern/options", {"$minKey"}, {"$maxKey"}, {"$undefined"} null; both of canonical and relaxed mode. bad_data with
// `place` where such an object holds something else. Other objects whose keys begin with '$' stay as they are.
void flatten_extended_json(Json& value, const std::string& place);

}  // namespace temper
