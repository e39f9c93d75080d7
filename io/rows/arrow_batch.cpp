#include "io/rows/arrow_batch.h"

#include <algorithm>

namespace temper {
namespace {

using Kind = ArrowField::Kind;

// Nodes and buffers stand in the order of the columns, each before its children.
class BatchReader {
  public:
    BatchReader(const FlatTable& table, ArrowBatch& batch)
        : message_(table.message()), batch_(batch), nodes_(table.vector(1, 16)), buffers_(table.vector(2, 16)) {}

    ArrowColumn column(const ArrowField& field, std::int64_t at_least) {
        ArrowColumn result;
        result.field = &field;
        result.length = next_length();
        if (result.length < at_least) message_.fail("a column is shorter than its batch");
        if (field.kind == Kind::null && !field.dictionary) return result;
        result.validity = next_buffer();
        if (!result.validity.empty()) need(result.validity, (result.length + 7) / 8);
        if (field.dictionary) {
            result.data = next_buffer();
            need_values(result.data, result.length, field.dictionary->width);
            return result;  // its children belong to the dictionary
        }
        read_buffers(field, result);
        return result;
    }

  private:
    void read_buffers(const ArrowField& field, ArrowColumn& result) {
        switch (field.kind) {
            case Kind::boolean:
                result.data = next_buffer();
                need(result.data, (result.length + 7) / 8);
                break;
            case Kind::integer:
            case Kind::floating:
                result.data = next_buffer();
                need_values(result.data, result.length, field.width);
                break;
            case Kind::passed_fixed: next_buffer(); break;
            case Kind::passed_binary:
                next_buffer();
                next_buffer();
                break;
            case Kind::text:
                read_offsets(field, result);
                result.data = next_buffer();
                break;
            case Kind::list:
                read_offsets(field, result);
                result.children.push_back(column(field.children[0], 0));
                break;
            case Kind::fixed_list: {
                const auto items = checked_multiply(static_cast<std::uint64_t>(result.length), static_cast<std::uint64_t>(field.list_size));
                if (!items || *items > max_length) message_.fail("a list is longer than 2^40 values");
                result.children.push_back(column(field.children[0], static_cast<std::int64_t>(*items)));
                break;
            }
            case Kind::structure:
                for (const ArrowField& child : field.children) result.children.push_back(column(child, result.length));
                break;
            case Kind::null: break;
        }
    }

    void read_offsets(const ArrowField& field, ArrowColumn& result) {
        result.offsets = next_buffer();
        if (result.length > 0) need_values(result.offsets, result.length + 1, field.wide ? 8 : 4);
    }

    static constexpr std::uint64_t max_length = std::uint64_t(1) << 40;

    std::int64_t next_length() {
        if (node_ >= nodes_.size) message_.fail("it has fewer columns than the schema");
        const auto length = message_.at<std::int64_t>(nodes_.begin + 16 * node_++);
        if (length < 0 || static_cast<std::uint64_t>(length) > max_length) message_.fail("a column of an impossible length");
        return length;
    }

    std::string_view next_buffer() {
        if (buffer_ >= buffers_.size) message_.fail("it has fewer buffers than the schema needs");
        const auto offset = message_.at<std::uint64_t>(buffers_.begin + 16 * buffer_),
                   size = message_.at<std::uint64_t>(buffers_.begin + 16 * buffer_ + 8);
        ++buffer_;
        const auto end = checked_add(offset, size);
        if (!end || *end > batch_.body.size()) message_.fail("a buffer lies outside of the body");
        return std::string_view(batch_.body).substr(offset, size);
    }

    void need(std::string_view buffer, std::int64_t bytes) const {
        if (static_cast<std::uint64_t>(bytes) > buffer.size()) message_.fail("a buffer is too short for its values");
    }
    void need_values(std::string_view buffer, std::int64_t count, std::int64_t width) const { need(buffer, count * width); }

    const FlatMessage& message_;
    ArrowBatch& batch_;
    FlatTable::Vector nodes_, buffers_;
    std::uint64_t node_ = 0, buffer_ = 0;
};

bool holds_values(const ArrowColumn& column) {
    if (!column.validity.empty() || column.field->dictionary) return true;
    switch (column.field->kind) {
        case Kind::boolean:
        case Kind::integer:
        case Kind::floating:
        case Kind::text:
        case Kind::list: return true;
        case Kind::fixed_list: return column.field->list_size > 0 && holds_values(column.children[0]);
        case Kind::structure: return std::any_of(column.children.begin(), column.children.end(), holds_values);
        case Kind::null:
        case Kind::passed_fixed:
        case Kind::passed_binary: break;
    }
    return false;
}

bool bit(std::string_view bits, std::int64_t index) {
    return (static_cast<unsigned char>(bits[static_cast<std::size_t>(index / 8)]) >> (index % 8) & 1) != 0;
}

template <class T> T element(std::string_view data, std::int64_t index) {
    T result;
    std::memcpy(&result, data.data() + static_cast<std::size_t>(index) * sizeof(T), sizeof result);
    return result;
}

std::int64_t signed_element(std::string_view data, std::int64_t index, std::int64_t width) {
    switch (width) {
        case 1: return element<std::int8_t>(data, index);
        case 2: return element<std::int16_t>(data, index);
        case 4: return element<std::int32_t>(data, index);
        default: return element<std::int64_t>(data, index);
    }
}

std::uint64_t unsigned_element(std::string_view data, std::int64_t index, std::int64_t width) {
    switch (width) {
        case 1: return element<std::uint8_t>(data, index);
        case 2: return element<std::uint16_t>(data, index);
        case 4: return element<std::uint32_t>(data, index);
        default: return element<std::uint64_t>(data, index);
    }
}

}  // namespace

std::unique_ptr<ArrowBatch> read_arrow_batch(const FlatTable& table, const std::vector<const ArrowField*>& fields, std::string body) {
    auto batch = std::make_unique<ArrowBatch>();
    batch->body = std::move(body);
    batch->rows = table.number<std::int64_t>(0, 0);
    if (batch->rows < 0) table.message().fail("a negative number of rows");
    if (table.table(3))
        throw_error(ExitCode::bad_data, "{}: compressed Arrow buffers are not read: write the data without compression", table.message().place);
    BatchReader reader(table, *batch);
    for (const ArrowField* field : fields) batch->columns.push_back(reader.column(*field, batch->rows));
    return batch;
}

bool has_values_of_rows(const ArrowBatch& batch) { return std::any_of(batch.columns.begin(), batch.columns.end(), holds_values); }

void ArrowValues::fail(const ArrowColumn& column, const std::string& what) const {
    throw_error(ExitCode::bad_data, "{}: column '{}': {}", *place_, column.field->name, what);
}

void ArrowValues::spend(std::size_t bytes) {
    spent_ += bytes + 1;
    if (spent_ > limits_.max_bytes) throw_error(ExitCode::bad_data, "{}: the row has more than {} bytes", *place_, limits_.max_bytes);
}

void ArrowValues::enter() {
    if (++depth_ > limits_.max_depth) throw_error(ExitCode::bad_data, "{}: nested deeper than {} levels", *place_, limits_.max_depth);
}

Json ArrowValues::row(const ArrowBatch& batch, std::int64_t index, const std::string& place) {
    place_ = &place;
    spent_ = 0;
    depth_ = 0;
    return structure(batch.columns, index);
}

Json ArrowValues::structure(const std::vector<ArrowColumn>& columns, std::int64_t index) {
    enter();
    Json object = Json::object();
    for (const ArrowColumn& column : columns) {
        if (column.field->kind == Kind::passed_fixed || column.field->kind == Kind::passed_binary) continue;
        Json field = value(column, index);
        if (field.is_null() && column.field->name != "content") continue;
        if (object.contains(column.field->name)) fail(column, "there are two of this name");
        spend(column.field->name.size());
        object[column.field->name] = std::move(field);
    }
    --depth_;
    return object;
}

Json ArrowValues::value(const ArrowColumn& column, std::int64_t index) {
    spend(1);
    if (!column.validity.empty() && !bit(column.validity, index)) return nullptr;
    return column.field->dictionary ? from_dictionary(column, index) : plain_value(column, index);
}

Json ArrowValues::plain_value(const ArrowColumn& column, std::int64_t index) {
    const ArrowField& field = *column.field;
    switch (field.kind) {
        case Kind::boolean: return bit(column.data, index);
        case Kind::integer:
            if (field.is_signed) return signed_element(column.data, index, field.width);
            return unsigned_element(column.data, index, field.width);
        case Kind::floating: return field.width == 4 ? static_cast<double>(element<float>(column.data, index)) : element<double>(column.data, index);
        case Kind::text: return text(column, index);
        case Kind::list: {
            const auto [begin, end] = span(column, index, column.children[0].length);
            return list(column, begin, end);
        }
        case Kind::fixed_list: return list(column, index * field.list_size, (index + 1) * field.list_size);
        case Kind::structure: return structure(column.children, index);
        case Kind::null:
        case Kind::passed_fixed:
        case Kind::passed_binary: break;
    }
    return nullptr;
}

std::pair<std::int64_t, std::int64_t> ArrowValues::span(const ArrowColumn& column, std::int64_t index, std::int64_t limit) const {
    const std::int64_t width = column.field->wide ? 8 : 4;
    const std::int64_t begin = signed_element(column.offsets, index, width), end = signed_element(column.offsets, index + 1, width);
    if (begin < 0 || end < begin || end > limit) fail(column, fmt::format("a value reaches from {} to {} of {}", begin, end, limit));
    return {begin, end};
}

Json ArrowValues::list(const ArrowColumn& column, std::int64_t begin, std::int64_t end) {
    enter();
    Json items = Json::array();
    for (std::int64_t i = begin; i < end; ++i) items.push_back(value(column.children[0], i));
    --depth_;
    return items;
}

Json ArrowValues::text(const ArrowColumn& column, std::int64_t index) {
    const auto [begin, end] = span(column, index, static_cast<std::int64_t>(column.data.size()));
    const std::string_view bytes = column.data.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    spend(bytes.size());
    if (column.field->json) return parse_json(bytes, *place_, {limits_.max_bytes, limits_.max_depth - depth_});
    if (find_invalid_utf8(bytes) != std::string::npos) fail(column, "invalid UTF-8");
    if (bytes.find('\0') != std::string_view::npos) fail(column, "a NUL byte");
    return std::string(bytes);
}

Json ArrowValues::from_dictionary(const ArrowColumn& column, std::int64_t index) {
    const ArrowDictionary& dictionary = *column.field->dictionary;
    std::uint64_t entry = unsigned_element(column.data, index, dictionary.width);
    if (dictionary.is_signed) entry = static_cast<std::uint64_t>(signed_element(column.data, index, dictionary.width));
    const auto parts = dictionaries_.find(dictionary.id);
    if (parts == dictionaries_.end()) fail(column, fmt::format("its dictionary {} is not in the file", dictionary.id));
    const std::uint64_t wanted = entry;
    for (const auto& part : parts->second) {
        const ArrowColumn& values = part->columns[0];
        const auto size = static_cast<std::uint64_t>(part->rows);
        if (entry < size)
            return !values.validity.empty() && !bit(values.validity, static_cast<std::int64_t>(entry))
                       ? Json(nullptr)
                       : plain_value(values, static_cast<std::int64_t>(entry));
        entry -= size;
    }
    fail(column, fmt::format("entry {} of a dictionary that has fewer", wanted));
}

}  // namespace temper
