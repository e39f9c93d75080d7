#include "io/rows/arrow_schema.h"

#include <array>

#include "io/jsonl.h"

namespace temper {
namespace {

// Type codes of Schema.fbs.
enum ArrowType : std::uint8_t {
    type_null = 1,
    type_int,
    type_float,
    type_binary,
    type_utf8,
    type_bool,
    type_decimal,
    type_date,
    type_time,
    type_timestamp,
    type_interval,
    type_list,
    type_struct,
    type_union,
    type_fixed_binary,
    type_fixed_list,
    type_map,
    type_duration,
    type_large_binary,
    type_large_utf8,
    type_large_list,
};

class SchemaReader {
  public:
    explicit SchemaReader(const FlatMessage& message) : message_(message) {}

    std::vector<ArrowField> fields(const FlatTable& owner, int slot, int depth) {
        if (depth > max_depth) message_.fail("columns are nested more than 32 deep");
        const FlatTable::Vector list = owner.vector(slot, 4);
        std::vector<ArrowField> result;
        for (std::uint64_t i = 0; i < list.size; ++i) {
            if (++count_ > max_fields) message_.fail("more than 10000 columns");
            result.push_back(field(owner.element(list, i), depth));
        }
        return result;
    }

  private:
    static constexpr int max_depth = 32;
    static constexpr std::int64_t max_fields = 10000, max_notes = 100000;
    static constexpr std::size_t max_name = 4096, max_names = std::size_t(1) << 20;

    ArrowField field(const FlatTable& table, int depth) {
        ArrowField result;
        const std::string_view name = table.text(0);
        if (name.size() > max_name) message_.fail("a column's name has more than 4 KiB");
        if ((names_ += name.size()) > max_names) message_.fail("the columns' names have more than 1 MiB");
        result.name = name;
        if (find_invalid_utf8(result.name) != std::string::npos) message_.fail("a column's name is not UTF-8");
        result.children = fields(table, 5, depth + 1);
        read_kind(table, result);
        if (const auto encoding = table.table(4)) {
            ArrowDictionary& dictionary = result.dictionary.emplace();
            dictionary.id = encoding->number<std::int64_t>(0, 0);
            if (const auto index = encoding->table(1)) {
                dictionary.width = bytes_of(index->number<std::int32_t>(0, 0));
                dictionary.is_signed = index->number<std::uint8_t>(1, 0) != 0;
            }
        }
        const FlatTable::Vector notes = table.vector(6, 4);
        for (std::uint64_t i = 0; i < notes.size; ++i) {
            if (++notes_ > max_notes) message_.fail("more than 100000 entries of metadata");
            const FlatTable note = table.element(notes, i);
            if (note.text(0) == "ARROW:extension:name" && note.text(1) == "arrow.json") result.json = true;
        }
        return result;
    }

    std::int64_t bytes_of(std::int32_t bits) const {
        if (bits != 8 && bits != 16 && bits != 32 && bits != 64) message_.fail("an integer of neither 8, 16, 32 nor 64 bits");
        return bits / 8;
    }

    void need_children(const ArrowField& field, std::size_t count) const {
        if (field.children.size() != count) message_.fail("a list without the one column of its items");
    }

    void read_kind(const FlatTable& table, ArrowField& field) const {
        using Kind = ArrowField::Kind;
        const auto type = table.number<std::uint8_t>(2, 0);
        const std::optional<FlatTable> details = table.table(3);
        field.wide = type == type_large_utf8 || type == type_large_list || type == type_large_binary;
        switch (type) {
            case type_null: return;
            case type_bool: field.kind = Kind::boolean; return;
            case type_int:
                field.kind = Kind::integer;
                field.width = bytes_of(details ? details->number<std::int32_t>(0, 0) : 0);
                field.is_signed = details && details->number<std::uint8_t>(1, 0) != 0;
                return;
            case type_float: {
                static constexpr std::array<std::int64_t, 3> widths = {2, 4, 8};
                const std::int16_t precision = details ? details->number<std::int16_t>(0, 0) : std::int16_t{0};
                if (precision < 0 || precision > 2) message_.fail("a float of an unknown precision");
                field.width = widths[static_cast<std::size_t>(precision)];
                field.kind = field.width == 2 ? Kind::passed_fixed : Kind::floating;
                return;
            }
            case type_utf8:
            case type_large_utf8: field.kind = Kind::text; return;
            case type_list:
            case type_map:
            case type_large_list: field.kind = Kind::list; return need_children(field, 1);
            case type_fixed_list:
                field.kind = Kind::fixed_list;
                field.list_size = details ? details->number<std::int32_t>(0, 0) : 0;
                if (field.list_size < 0) message_.fail("a list of a negative size");
                return need_children(field, 1);
            case type_struct: field.kind = Kind::structure; return;
            case type_binary:
            case type_large_binary: field.kind = Kind::passed_binary; return;
            case type_decimal:
            case type_date:
            case type_time:
            case type_timestamp:
            case type_interval:
            case type_fixed_binary:
            case type_duration: field.kind = Kind::passed_fixed; return;
            default: break;
        }
        throw_error(
            ExitCode::bad_data,
            "{}: column '{}' is of Arrow's type {} (a union, a view or a run-end-encoded column), which is not read: leave the column out, or "
            "cast it to string",
            message_.place, field.name, type);
    }

    const FlatMessage& message_;
    // Entries may share their bytes: what is counted is what they stand for.
    std::int64_t count_ = 0, notes_ = 0;
    std::size_t names_ = 0;
};

}  // namespace

ArrowSchema read_arrow_schema(const FlatTable& schema) {
    if (schema.number<std::int16_t>(0, 0) != 0)
        throw_error(ExitCode::bad_data, "{}: big-endian Arrow data, expected little-endian", schema.message().place);
    return {SchemaReader(schema.message()).fields(schema, 1, 0)};
}

}  // namespace temper
