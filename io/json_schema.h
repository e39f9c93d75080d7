// JSON Schema (draft 2020-12, the part without references to other files): whether a value fits, and where it does not.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

// Known: type, enum, const, properties, required, additionalProperties, patternProperties, minProperties, maxProperties, items, prefixItems,
// minItems, maxItems, uniqueItems, contains, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, minLength, maxLength, pattern, anyOf,
// allOf, oneOf, not, if, then, else, $defs, $ref (#/…), and notes ($schema, $id, title, description, default, examples, $comment, format).
class JsonSchema {
  public:
    // bad_data opening with `place` for a keyword that is not known or a value that it cannot have.
    JsonSchema(Json schema, std::string place);
    // The first place where the value does not fit, as "$.a[2]: expected …, found …"; empty where it fits.
    std::string fault(const Json& value) const;

  private:
    struct Checker;
    std::shared_ptr<const Json> schema_;
    std::string place_;
};

}  // namespace temper
