// Columns of an Arrow IPC stream, as its schema message declares them. Internal to io/.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/rows/flatbuffer.h"

namespace temper {

// How a column that names values by index says so.
struct ArrowDictionary {
    std::int64_t id = 0, width = 4;  // width: bytes of an index
    bool is_signed = true;
};

struct ArrowField {
    // Rows need the kinds up to map; a column of another kind is passed over, where its buffers can be.
    enum class Kind : std::uint8_t { null, boolean, integer, floating, text, list, structure, fixed_list, passed_fixed, passed_binary };
    std::string name;
    Kind kind = Kind::null;
    bool wide = false;                          // text and lists: offsets of 64 bits
    bool is_signed = true;                      // integers
    bool json = false;                          // text that is a JSON document (extension arrow.json)
    std::int64_t width = 0;                     // integers and floats: bytes
    std::int64_t list_size = 0;                 // fixed_list
    std::optional<ArrowDictionary> dictionary;  // values are indices into that dictionary, whose values are of the kind above
    std::vector<ArrowField> children;
};

struct ArrowSchema {
    std::vector<ArrowField> columns;
};
// bad_data for what does not hold together, and for kinds of columns that cannot even be passed over.
ArrowSchema read_arrow_schema(const FlatTable& schema);

}  // namespace temper
