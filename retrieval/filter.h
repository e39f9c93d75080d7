// Conditions on a chunk's metadata: NAME OP VALUE with OP one of = != < <= > >=, all of which a chunk must meet.
//
//   author=ann          text, equal byte for byte         author=ann|bob      any of them; "a|b" in quotes is one text
//   year>=2024          numbers, compared as numbers      date<2024-05        ISO 8601 dates, as far as the condition writes them: 2024-05 is a month
//   tags=red            of a list: any element            source.site=x       a name inside an object
//   category=article    the collection's; likewise id and document, where the metadata has no such name
//
// A chunk without the name meets != alone. A range that compares unlike kinds (a date with a text) is not met.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/span.h"
#include "retrieval/collection.h"

namespace temper {

class Filter {
  public:
    // usage names the expression and what was expected.
    explicit Filter(const std::vector<std::string>& expressions);
    bool empty() const { return conditions_.empty(); }
    bool keeps(const Chunk& chunk, const std::string& category) const;
    std::vector<std::uint8_t> rows(const Collection& collection) const;  // (N)

  private:
    enum class Op : std::uint8_t { equal, unequal, less, less_equal, greater, greater_equal };
    struct Condition {
        std::vector<std::string> path;  // "source.site" in its parts
        Op op = Op::equal;
        std::vector<std::string> values;  // any of them; one for a range
    };
    static Condition parse(const std::string& expression);
    static bool meets(const Condition& condition, const Json& found);
    std::vector<Condition> conditions_;
};

}  // namespace temper
