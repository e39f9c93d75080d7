// parse_json: nlohmann's lexer and grammar (iterative, so depth costs no stack), our checks and our places. Building the document by
// SAX events lets depth be refused when it is met, and duplicate keys where they stand.
#include <algorithm>
#include <unordered_set>

#include "io/jsonl.h"
#include "kernels/error.h"

namespace temper {

namespace {

// A position in text: "place:column", or "place:line:column" where place names no line yet.
class Places {
  public:
    Places(std::string_view text, const std::string& place) : text_(text), place_(place) {}

    [[noreturn]] void fail(std::size_t offset, const std::string& message) const {
        offset = std::min(offset, text_.size());
        const std::string_view before = text_.substr(0, offset);
        const std::size_t newline = before.rfind('\n');
        const std::size_t column = offset - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
        if (names_line()) throw_error(ExitCode::bad_data, "{}:{}: {}", place_, column, message);
        throw_error(ExitCode::bad_data, "{}:{}:{}: {}", place_, std::count(before.begin(), before.end(), '\n') + 1, column, message);
    }

  private:
    bool names_line() const {
        const std::size_t end = place_.find_last_not_of("0123456789");
        return end != std::string::npos && end + 1 < place_.size() && place_[end] == ':';
    }
    std::string_view text_;
    const std::string& place_;
};

// Input iterator that reports how far the parser has read.
class CountingIterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    CountingIterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
    reference operator*() const { return *at_; }
    CountingIterator& operator++() {
        *reached_ = ++at_;
        return *this;
    }
    bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
    bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

  private:
    const char* at_;
    const char** reached_;
};

class Builder : public nlohmann::json_sax<Json> {
  public:
    Builder(std::string_view text, const Places& places, int max_depth) : text_(text), places_(places), max_depth_(max_depth) {
        reached_ = text.data();
    }
    const char** reached() { return &reached_; }
    Json take() { return std::move(root_); }

    bool null() override { return add(nullptr); }
    bool boolean(bool value) override { return add(value); }
    bool number_integer(std::int64_t value) override { return add(value); }
    bool number_unsigned(std::uint64_t value) override { return add(value); }
    bool number_float(double value, const std::string&) override { return add(value); }
    bool string(std::string& value) override { return add(std::move(value)); }
    bool binary(Json::binary_t&) override { return false; }  // has no spelling in text
    bool start_object(std::size_t) override { return open(Json::object()); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(std::string& name) override {
        Level& level = levels_.back();
        if (is_duplicate(level, name)) places_.fail(start_of_string(), fmt::format("duplicate key \"{}\"", name));
        // Straight to the vector below: operator[] of an ordered object walks all keys for each that is added.
        auto& members = level.value->get_ref<Json::object_t&>();
        static_cast<Json::object_t::Container&>(members).emplace_back(name, Json());
        slot_ = &members.back().second;
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
        std::string message = error.what();
        if (const std::size_t id = message.find("] "); id != std::string::npos) message.erase(0, id + 2);
        if (message.rfind("parse error at ", 0) == 0) message.erase(0, std::min(message.find(": ") + 2, message.size()));
        // The number of a number that is too large stands behind what was read.
        places_.fail(position == 0 ? 0 : position - 1, message);
    }

  private:
    struct Level {
        Json* value;
        std::unordered_set<std::string> keys;  // once there are many
    };

    static bool is_duplicate(Level& level, const std::string& name) {
        constexpr std::size_t few = 16;
        const auto& members = level.value->get_ref<const Json::object_t&>();
        if (members.size() < few) return std::any_of(members.begin(), members.end(), [&](const auto& member) { return member.first == name; });
        if (level.keys.empty())
            for (const auto& member : members) level.keys.insert(member.first);
        return !level.keys.insert(name).second;
    }

    // Offset of the opening quote of the string whose closing quote was read last.
    std::size_t start_of_string() const {
        std::size_t quote = static_cast<std::size_t>(reached_ - text_.data()) - 1;
        for (;;) {
            quote = text_.rfind('"', quote - 1);
            const std::size_t other = text_.find_last_not_of('\\', quote - 1);
            if ((quote - 1 - other) % 2 == 0) return quote;
        }
    }

    template <class Value> bool add(Value&& value) {
        put(Json(std::forward<Value>(value)));
        return true;
    }
    Json* put(Json value) {
        if (levels_.empty()) {
            root_ = std::move(value);
            return &root_;
        }
        Json& parent = *levels_.back().value;
        if (parent.is_array()) {
            parent.push_back(std::move(value));
            return &parent.back();
        }
        *slot_ = std::move(value);
        return slot_;
    }
    bool open(Json value) {
        if (static_cast<int>(levels_.size()) >= max_depth_)
            places_.fail(static_cast<std::size_t>(reached_ - text_.data()) - 1, fmt::format("nested deeper than {} levels", max_depth_));
        levels_.push_back({put(std::move(value)), {}});
        return true;
    }
    bool close() {
        levels_.pop_back();
        return true;
    }

    std::string_view text_;
    const Places& places_;
    int max_depth_;
    const char* reached_;
    Json root_;
    Json* slot_ = nullptr;  // where the value of the last key goes
    std::vector<Level> levels_;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& place, const JsonLimits& limits) {
    const Places places(text, place);
    if (text.size() > limits.max_bytes) places.fail(0, fmt::format("{} bytes, expected at most {}", text.size(), limits.max_bytes));
    if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos)
        places.fail(bad, fmt::format("byte 0x{:02x} is not valid UTF-8", static_cast<unsigned char>(text[bad])));
    // The lexer takes NUL for the end of its input.
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) places.fail(nul, "NUL byte");
    Builder builder(text, places, limits.max_depth);
    const CountingIterator begin(text.data(), builder.reached()), end(text.data() + text.size(), builder.reached());
    Json::sax_parse(begin, end, &builder);
    return builder.take();
}

}  // namespace temper
