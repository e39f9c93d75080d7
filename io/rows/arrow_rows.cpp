// Arrow IPC: a stream of messages, each a FlatBuffers table and a body. The file form is the same stream behind a magic word. What is
// held at a time is one batch, the size of which its writer chose (datasets: 1,000 rows).
#include "io/input_file.h"
#include "io/rows/arrow_batch.h"
#include "io/rows/row_files.h"

namespace temper {
namespace {

constexpr std::uint64_t max_metadata = std::uint64_t(64) << 20, max_body = std::uint64_t(4) << 30;
enum Header : std::uint8_t { header_schema = 1, header_dictionary = 2, header_batch = 3 };

class ArrowFile {
  public:
    explicit ArrowFile(const std::filesystem::path& path) : file_(path) {
        if (file_.size() >= 8 && file_.read_at(0, 6) == "ARROW1") position_ = 8;
    }
    ArrowFile(const ArrowFile&) = delete;

    // The next batch of rows; null at the end.
    std::unique_ptr<ArrowBatch> next() {
        while (read_message()) {
            const FlatMessage message{metadata_, place_};
            const FlatTable root = FlatTable::root(message);
            const auto kind = root.number<std::uint8_t>(1, 0);
            const std::optional<FlatTable> header = root.table(2);
            if (!header) message.fail("a message without a header");
            std::string body = read_body(root.number<std::int64_t>(3, 0));
            if (kind == header_schema) read_schema(*header);
            else if (!schema_) throw_error(ExitCode::bad_data, "{}: no schema stands before the rows", place_);
            else if (kind == header_dictionary) read_dictionary(*header, std::move(body));
            else if (kind == header_batch) return read_rows(*header, std::move(body));
        }
        return nullptr;
    }
    const ArrowDictionaries& dictionaries() const { return dictionaries_; }

  private:
    [[noreturn]] void fail_short() const { throw_error(ExitCode::bad_data, "{}: the file ends inside a message: it is cut off", place_); }

    // metadata_ of the next message; false at the end mark.
    bool read_message() {
        place_ = fmt::format("{}: byte {}", file_.path().string(), position_);
        std::uint64_t length = read_length();
        if (length == 0xFFFFFFFF) length = read_length();
        if (length == 0) return false;
        if (length > max_metadata) throw_error(ExitCode::bad_data, "{}: not an Arrow message: metadata of {} bytes", place_, length);
        metadata_ = take(length);
        return true;
    }
    std::uint64_t read_length() {
        const std::string bytes = take(4);
        return Cursor(bytes).number<std::uint32_t>().value();
    }
    std::string read_body(std::int64_t length) {
        if (length < 0 || static_cast<std::uint64_t>(length) > max_body)
            throw_error(ExitCode::bad_data, "{}: a batch of {} bytes, at most {} are read: write smaller batches", place_, length, max_body);
        return take(static_cast<std::uint64_t>(length));
    }
    std::string take(std::uint64_t count) {
        if (count > file_.size() - position_) fail_short();
        std::string bytes = file_.read_at(position_, static_cast<std::size_t>(count));
        position_ += count;
        return bytes;
    }

    void read_schema(const FlatTable& header) {
        if (schema_) throw_error(ExitCode::bad_data, "{}: a second schema", place_);
        schema_ = std::make_unique<ArrowSchema>(read_arrow_schema(header));
        for (const ArrowField& column : schema_->columns) columns_.push_back(&column);
        for (const ArrowField& column : schema_->columns) list_dictionaries(column);
    }

    // What a dictionary's values are: the field that names it, without the naming. Children go first, and the first of an id stays: so the
    // values of a dictionary can only lead to dictionaries listed before it, never back.
    void list_dictionaries(const ArrowField& field) {
        for (const ArrowField& child : field.children) list_dictionaries(child);
        if (!field.dictionary) return;
        auto values = std::make_unique<ArrowField>(field);
        values->dictionary.reset();
        dictionary_fields_.emplace(field.dictionary->id, std::move(values));
    }

    std::unique_ptr<ArrowBatch> read_rows(const FlatTable& header, std::string body) const {
        auto batch = read_arrow_batch(header, columns_, std::move(body));
        if (batch->rows > 0 && !has_values_of_rows(*batch))
            throw_error(ExitCode::bad_data, "{}: {} rows, but no column holds values that are read: expected text, numbers, lists or objects", place_,
                        batch->rows);
        return batch;
    }

    void read_dictionary(const FlatTable& header, std::string body) {
        const auto id = header.number<std::int64_t>(0, 0);
        const auto field = dictionary_fields_.find(id);
        const std::optional<FlatTable> values = header.table(1);
        if (field == dictionary_fields_.end() || !values) throw_error(ExitCode::bad_data, "{}: dictionary {} belongs to no column", place_, id);
        auto& parts = dictionaries_[id];
        if (header.number<std::uint8_t>(2, 0) == 0) parts.clear();  // not added to it but in its place
        parts.push_back(read_arrow_batch(*values, {field->second.get()}, std::move(body)));
    }

    InputFile file_;
    std::uint64_t position_ = 0;
    std::string place_, metadata_;
    std::unique_ptr<ArrowSchema> schema_;
    std::vector<const ArrowField*> columns_;
    std::map<std::int64_t, std::unique_ptr<ArrowField>> dictionary_fields_;
    ArrowDictionaries dictionaries_;
};

class ArrowReader final : public RowSource {
  public:
    ArrowReader(std::filesystem::path path, std::vector<std::filesystem::path> files, const JsonLimits& limits)
        : path_(std::move(path)), files_(std::move(files)), limits_(limits) {}
    std::int64_t line() const override { return line_; }
    std::string place() const override { return fmt::format("{}:{}", path_.string(), line_); }

    bool next(Json& row) override {
        if (broken_) throw Error(*broken_);
        while (!batch_ || index_ == batch_->rows) {
            batch_.reset();  // before the next is read: one at a time
            index_ = 0;
            if (!file_) {
                if (file_index_ == files_.size()) return false;
                file_ = std::make_unique<ArrowFile>(files_[file_index_++]);
            }
            try {
                batch_ = file_->next();
            } catch (const Error& error) {
                broken_ = error;  // where the next message begins, nobody knows
                throw;
            }
            if (!batch_) file_.reset();
        }
        ++line_;
        row = ArrowValues(file_->dictionaries(), limits_).row(*batch_, index_++, place());
        return true;
    }

  private:
    std::filesystem::path path_;
    std::vector<std::filesystem::path> files_;
    JsonLimits limits_;
    std::size_t file_index_ = 0;
    std::unique_ptr<ArrowFile> file_;
    std::unique_ptr<ArrowBatch> batch_;
    std::int64_t index_ = 0, line_ = 0;
    std::optional<Error> broken_;
};

}  // namespace

std::unique_ptr<RowSource> open_arrow(const std::filesystem::path& path, const std::vector<std::filesystem::path>& files, const JsonLimits& limits) {
    return std::make_unique<ArrowReader>(path, files, limits);
}

}  // namespace temper
