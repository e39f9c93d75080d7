// str.format: replacement fields in braces.
#include <algorithm>

#include "io/jinja/format.h"
#include "io/jinja/interpreter.h"
#include "io/jinja/literals.h"
#include "io/jinja/print.h"

namespace temper::jinja {
namespace {

class BraceFormat {
  public:
    BraceFormat(Interpreter& interpreter, const Arguments& arguments) : interpreter_(interpreter), arguments_(arguments) {}

    std::string fill(std::string_view pattern, int level) {
        if (level > 2) fail("format: replacement fields are nested too deeply");
        std::string out;
        for (std::size_t at = 0; at < pattern.size();) {
            const char c = pattern[at];
            const bool doubled = at + 1 < pattern.size() && pattern[at + 1] == c;
            if ((c == '{' || c == '}') && doubled) {
                out += c;
                at += 2;
            } else if (c == '}') {
                fail("format: single '}}' in the pattern");
            } else if (c == '{') {
                const std::size_t end = closing(pattern, at + 1);
                out += field(pattern.substr(at + 1, end - at - 1), level);
                at = end + 1;
            } else {
                out += c;
                ++at;
            }
            if (c == '{') interpreter_.budget().charge_bytes(out.size());
        }
        return out;
    }

  private:
    static std::size_t closing(std::string_view pattern, std::size_t at) {
        for (int open = 1; at < pattern.size(); ++at) {
            if (pattern[at] == '{') ++open;
            if (pattern[at] == '}' && --open == 0) return at;
        }
        fail("format: expected '}}' before the end of the pattern");
    }

    std::string field(std::string_view inside, int level) {
        const std::size_t name_end = std::min(inside.find_first_of("!:"), inside.size());
        const Value value = resolve(inside.substr(0, name_end));
        std::string_view rest = inside.substr(name_end);
        char conversion = 0;
        if (rest.starts_with('!')) {
            if (rest.size() < 2 || (rest[1] != 's' && rest[1] != 'r')) fail("format: unknown conversion '{}'", rest);
            conversion = rest[1];
            rest.remove_prefix(2);
        }
        if (!rest.empty() && rest[0] != ':') fail("format: expected ':' after the conversion");
        const std::string specification = rest.empty() ? "" : fill(rest.substr(1), level + 1);
        if (conversion == 'r') return format_value(interpreter_.budget(), Value::text(repr_of(value)), specification);
        if (conversion == 's') return format_value(interpreter_.budget(), Value::text(text_of(value)), specification);
        return format_value(interpreter_.budget(), value, specification);
    }

    Value resolve(std::string_view name) {
        const std::size_t first_end = std::min(name.find_first_of(".["), name.size());
        Value value = first(name.substr(0, first_end));
        for (std::string_view rest = name.substr(first_end); !rest.empty();) {
            const bool is_item = rest[0] == '[';
            const std::size_t end = is_item ? rest.find(']') : std::min(rest.find_first_of(".[", 1), rest.size());
            if (end == std::string_view::npos) fail("format: missing ']' in '{}'", name);
            const std::string key(rest.substr(1, end - 1));
            const std::optional<std::int64_t> index = is_item ? parse_integer(key, 10) : std::nullopt;
            if (index) value = interpreter_.item(value, Value::of(*index));
            else if (is_item) value = interpreter_.item(value, Value::text(key));
            else value = interpreter_.attribute(value, std::make_shared<const std::string>(key));
            rest.remove_prefix(end + (is_item ? 1 : 0));
        }
        return value;
    }

    Value first(std::string_view name) {
        std::optional<std::int64_t> index = parse_integer(name, 10);
        if (name.empty()) index = next_++;
        if (index) {
            if (*index < 0 || *index >= static_cast<std::int64_t>(arguments_.positional.size())) fail("format: no argument {}", *index);
            return arguments_.positional[static_cast<std::size_t>(*index)];
        }
        for (const auto& [known, value] : arguments_.named)
            if (*known == name) return value;
        fail("format: no argument named '{}'", name);
    }

    Interpreter& interpreter_;
    const Arguments& arguments_;
    std::int64_t next_ = 0;
};

}  // namespace

Value brace_format(Interpreter& interpreter, const std::string& pattern, const Arguments& arguments) {
    return Value::text(BraceFormat(interpreter, arguments).fill(pattern, 0));
}

}  // namespace temper::jinja
