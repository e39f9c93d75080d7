// The values of one record batch or dictionary of an Arrow IPC stream, over the bytes of its body. Internal to io/.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "io/rows/arrow_schema.h"

namespace temper {

struct ArrowColumn {
    const ArrowField* field = nullptr;
    std::int64_t length = 0;
    std::string_view validity;  // a bit a value; empty when none is null
    std::string_view offsets, data;
    std::vector<ArrowColumn> children;
};

struct ArrowBatch {
    std::string body;
    std::int64_t rows = 0;
    std::vector<ArrowColumn> columns;
};
// Every buffer is checked to lie in the body and to be long enough for its values; offsets are checked as values are read.
std::unique_ptr<ArrowBatch> read_arrow_batch(const FlatTable& record_batch, const std::vector<const ArrowField*>& fields, std::string body);
// Whether some column's bytes are as many as its rows: without one, a few bytes could claim any number of rows.
bool has_values_of_rows(const ArrowBatch& batch);

using ArrowDictionaries = std::map<std::int64_t, std::vector<std::unique_ptr<ArrowBatch>>>;  // by id: the first and what was added to it

class ArrowValues {
  public:
    ArrowValues(const ArrowDictionaries& dictionaries, const JsonLimits& limits) : dictionaries_(dictionaries), limits_(limits) {}
    // One row as an object. Null columns, and null fields of structs other than "content", are left out: Arrow has no other way to say absent.
    Json row(const ArrowBatch& batch, std::int64_t index, const std::string& place);

  private:
    Json value(const ArrowColumn& column, std::int64_t index);
    Json plain_value(const ArrowColumn& column, std::int64_t index);
    Json structure(const std::vector<ArrowColumn>& columns, std::int64_t index);
    Json list(const ArrowColumn& column, std::int64_t begin, std::int64_t end);
    Json text(const ArrowColumn& column, std::int64_t index);
    Json from_dictionary(const ArrowColumn& column, std::int64_t index);
    std::pair<std::int64_t, std::int64_t> span(const ArrowColumn& column, std::int64_t index, std::int64_t limit) const;
    void spend(std::size_t bytes);
    void enter();  // an object or a list; depth_ falls behind it
    [[noreturn]] void fail(const ArrowColumn& column, const std::string& what) const;

    const ArrowDictionaries& dictionaries_;
    JsonLimits limits_;
    const std::string* place_ = nullptr;
    int depth_ = 0;          // of objects and lists around the value in hand
    std::size_t spent_ = 0;  // bytes of the row in hand, as they would stand in JSON
};

}  // namespace temper
