// Values of the template language: Python's kinds, as Jinja2 templates see them. Copies are cheap: text and containers are shared,
// and the conversation is looked at through pointers into the caller's Json, which must outlive every Value made from it.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "io/jsonl.h"

namespace temper::jinja {

// What any operation throws; whoever runs the template adds the place and makes a temper::Error of it.
struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};
template <class... Args> [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
    throw Failure(fmt::format(format, std::forward<Args>(args)...));
}

// What a rendering may spend: steps (evaluations, items, bytes made) and the length of any one text.
class Budget {
  public:
    static constexpr std::size_t max_text = std::size_t(16) << 20;
    static constexpr std::size_t max_steps = 20'000'000;
    void charge(std::size_t steps = 1) {
        if (steps > left_) fail("the template runs too long (over {} steps); look for a loop that never shrinks", max_steps);
        left_ -= steps;
    }
    // Asked before a text or a list of that many bytes or items is made.
    void charge_bytes(std::size_t bytes) {
        if (bytes > max_text) fail("a text of {} bytes exceeds the limit of {}", bytes, max_text);
        charge(bytes / 16 + 1);
    }

  private:
    std::size_t left_ = max_steps;
};

using Shared = std::shared_ptr<const std::string>;
class Value;
class Arguments;
class Interpreter;

struct None {};
// A name or attribute that is not there. Prints as nothing, is false and empty; any other use of it fails with its message.
struct Undefined {
    Shared name;                  // or the whole message when `hint`
    const char* owner = nullptr;  // type of the object that lacks it; null for a plain name
    bool hint = false;
    bool strict = false;  // printing it, asking whether it is true, equal or how long, and walking it fail, too
    std::string message() const;
};
struct Text {
    Shared bytes;         // UTF-8
    bool markup = false;  // came through |safe or |escape: joining it with + escapes the other side
};
enum class SequenceKind { list, tuple, range, generator, keys, values, items };
struct Sequence {
    SequenceKind kind = SequenceKind::list;
    std::vector<Value> items;
    int depth = 1;        // nesting, capped so that no walk overflows the stack
    bool spent = false;   // a generator can be walked once
    std::string failure;  // of a generator that could not be made: raised when it is walked, as Python would
    std::string label;    // how a range prints
};
struct Dict {
    std::vector<std::pair<Value, Value>> entries;  // in order of insertion
    int depth = 1;
};
struct Namespace {
    std::vector<std::pair<Shared, Value>> attributes;
};
struct Loop;  // loop.h
struct Callable {
    std::string label;  // as printed
    std::function<Value(Interpreter&, Arguments&)> call;
};

template <class T> using Ptr = std::shared_ptr<T>;

class Value {
  public:
    using Data = std::variant<Undefined, None, bool, std::int64_t, double, Text, const Json*, Ptr<Sequence>, Ptr<Dict>, Ptr<Namespace>, Ptr<Loop>,
                              Ptr<Callable>>;
    Value() = default;
    Value(Data data) : data_(std::move(data)) {}
    static Value none() { return Value(Data(None{})); }
    static Value of(bool b) { return Value(Data(b)); }
    static Value of(std::int64_t i) { return Value(Data(i)); }
    static Value of(std::size_t i) { return Value(Data(static_cast<std::int64_t>(i))); }
    static Value of(double d) { return Value(Data(d)); }
    static Value text(std::string s, bool markup = false) { return Value(Data(Text{std::make_shared<const std::string>(std::move(s)), markup})); }
    static Value text(Shared s) { return Value(Data(Text{std::move(s), false})); }
    static Value undefined(Shared name, const char* owner = nullptr) { return Value(Data(Undefined{std::move(name), owner, false})); }
    static Value undefined_because(std::string message);
    static Value list(std::vector<Value> items, SequenceKind kind = SequenceKind::list);
    static Value tuple(std::vector<Value> items) { return list(std::move(items), SequenceKind::tuple); }
    static Value dict(std::vector<std::pair<Value, Value>> entries);
    // Borrows: the Json must outlive the value.
    static Value json(const Json& json);

    template <class T> const T* as() const { return std::get_if<T>(&data_); }
    template <class T> const T* object() const {
        const Ptr<T>* p = std::get_if<Ptr<T>>(&data_);
        return p ? p->get() : nullptr;
    }
    const Data& data() const { return data_; }

    // Failure where the value is a strict Undefined.
    void require_defined() const;
    Value strictly(bool strict) const;  // the same, an Undefined made strict
    bool is_undefined() const { return as<Undefined>() != nullptr; }
    bool is_none() const { return as<None>() != nullptr; }
    bool is_text() const { return as<Text>() != nullptr; }
    bool is_mapping() const;
    bool is_integer() const { return as<std::int64_t>() || as<bool>(); }  // Python's bool is an int
    bool is_number() const { return is_integer() || as<double>(); }
    bool is_list() const;
    bool is_tuple() const;
    bool has_length_and_items() const;  // Python's len() and [] both work: text, list, tuple, range, mapping
    const std::string& text_bytes() const { return *as<Text>()->bytes; }
    bool is_markup() const { return is_text() && as<Text>()->markup; }
    std::int64_t integer() const;   // of is_integer()
    double number() const;          // of is_number()
    const char* type_name() const;  // Python's: "str", "dict", ...
    int depth() const;

  private:
    Data data_;
};

constexpr int max_value_depth = 200;

// Mappings (literal dicts and Json objects) and sequences, whatever holds them.
std::size_t mapping_size(const Value& mapping);
std::optional<Value> mapping_find(const Value& mapping, const Value& key);
std::optional<Value> mapping_find(const Value& mapping, std::string_view key);
void each_entry(const Value& mapping, const std::function<void(const Value& key, const Value& value)>& visit);
bool is_hashable(const Value& key);
// Every item of an iterable, in order: text gives its characters, a mapping its keys, Undefined nothing; a generator is used up.
std::vector<Value> iterate(Budget& budget, const Value& value);
bool is_iterable(const Value& value);
std::int64_t length_of(const Value& value);  // Python's len()

}  // namespace temper::jinja
