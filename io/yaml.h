// YAML text as a tree that remembers where each node stood, and JSON values back to YAML. The tree keeps scalars as written: the reader of a
// field knows its type, so that `3e-4` is a number and `no` is a name wherever that is what the field wants.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace temper {

using Json = nlohmann::ordered_json;

struct YamlNode {
    enum class Kind : std::uint8_t { null, scalar, sequence, map };
    Kind kind = Kind::null;
    bool quoted = false;           // a scalar in quotes or tagged !!str is text whatever it looks like
    int line = 0, column = 0;      // from 1
    std::string text;              // of a scalar
    std::vector<YamlNode> keys;    // of a map: scalars, no two alike
    std::vector<YamlNode> values;  // of a map or a sequence

    const YamlNode* find(const std::string& key) const;  // in a map; null when absent
    std::string describe() const;                        // for messages: `text "abc"`, `the number 3`, `a list of 2`
};

struct YamlLimits {
    std::size_t max_bytes = std::size_t(1) << 20;
    int max_depth = 32;
    std::size_t max_nodes = 100000;  // aliases count as what they stand for
};
// One document. Usage error as place:line:column for what does not parse, duplicate keys, keys that are not plain text, a second document,
// and text over the limits.
YamlNode parse_yaml(const std::string& text, const std::string& place, const YamlLimits& limits = {});

// Block style, two spaces a level; numbers are written so that YAML 1.1 readers (PyYAML) see numbers as well.
std::string to_yaml(const Json& value);

}  // namespace temper
