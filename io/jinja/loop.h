// The `loop` variable of a for block.
#pragma once
#include <vector>

#include "io/jinja/value.h"

namespace temper::jinja {

struct Scope;
struct For;

struct Loop {
    std::vector<Value> items;
    std::size_t index0 = 0;
    int depth0 = 0;                   // of a recursive loop
    int depth = 1;                    // nesting of the items, as Sequence::depth
    std::vector<Value> last_changed;  // arguments of the last loop.changed(...)
    bool asked_changed = false;
    const For* node = nullptr;  // set when the loop is recursive
    std::shared_ptr<Scope> outer;
};

// index, first, previtem ...; Undefined when the loop has no such attribute.
Value loop_attribute(const Ptr<Loop>& loop, const Shared& name);

}  // namespace temper::jinja
