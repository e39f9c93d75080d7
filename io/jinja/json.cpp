// The tojson filter: what Python's json.dumps writes.
#include <algorithm>
#include <cmath>

#include "io/jinja/operators.h"
#include "io/jinja/print.h"
#include "io/jinja/text.h"

namespace temper::jinja {
namespace {

class Writer {
  public:
    Writer(Budget& budget, const JsonStyle& style) : budget_(budget), style_(style) {}

    void write(const Value& value, int level) {
        if (level > max_value_depth) fail("tojson: a value is nested more than {} levels deep", max_value_depth);
        if (out_.size() > Budget::max_text) fail("tojson: the text exceeds the limit of {} bytes", Budget::max_text);
        budget_.charge();
        if (value.is_none()) {
            out_ += "null";
        } else if (const bool* b = value.as<bool>()) {
            out_ += *b ? "true" : "false";
        } else if (const auto* i = value.as<std::int64_t>()) {
            out_ += std::to_string(*i);
        } else if (const double* d = value.as<double>()) {
            write_float(*d);
        } else if (value.is_text()) {
            write_text(value.text_bytes());
        } else if (value.is_mapping()) {
            write_mapping(value, level);
        } else if (value.is_list() || value.is_tuple()) {
            write_items(value, level);
        } else {
            fail("tojson: a value of type {} is not JSON serializable", value.type_name());
        }
    }
    std::string take() { return std::move(out_); }

  private:
    void write_float(double d) {
        if (std::isfinite(d)) out_ += float_repr(d);
        else out_ += std::isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity";
    }

    void write_text(std::string_view text) {
        budget_.charge(text.size() / 16);
        out_ += '"';
        for (std::size_t at = 0; at < text.size();) {
            const auto byte = static_cast<unsigned char>(text[at]);
            if (byte >= 0x80 && style_.ensure_ascii) {
                write_escape(character_at(text, at));
                at += character_size(text, at);
                continue;
            }
            switch (byte) {
                case '"': out_ += "\\\""; break;
                case '\\': out_ += "\\\\"; break;
                case '\n': out_ += "\\n"; break;
                case '\r': out_ += "\\r"; break;
                case '\t': out_ += "\\t"; break;
                case '\b': out_ += "\\b"; break;
                case '\f': out_ += "\\f"; break;
                default:
                    if (byte < 0x20) write_escape(byte);
                    else out_ += text[at];
            }
            ++at;
        }
        out_ += '"';
    }

    void write_escape(char32_t c) {
        if (c >= 0x10000) {
            const auto rest = static_cast<unsigned>(c) - 0x10000;
            out_ += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
        } else {
            out_ += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        }
    }

    void new_line(int level) {
        if (!style_.indent) return;
        budget_.charge_bytes(style_.indent->size() * static_cast<std::size_t>(level));
        out_ += '\n';
        for (int i = 0; i < level; ++i) out_ += *style_.indent;
    }

    std::string key_text(const Value& key) const {
        if (key.is_text()) return key.text_bytes();
        if (key.is_none()) return "null";
        if (const bool* b = key.as<bool>()) return *b ? "true" : "false";
        if (key.is_number()) return repr_of(key);
        fail("tojson: keys must be str, int, float, bool or None, not {}", key.type_name());
    }

    void write_mapping(const Value& mapping, int level) {
        std::vector<std::pair<Value, Value>> entries;
        each_entry(mapping, [&](const Value& key, const Value& value) { entries.emplace_back(key, value); });
        if (entries.empty()) {
            out_ += "{}";
            return;
        }
        if (style_.sort_keys) {
            budget_.charge(entries.size() * 16);
            std::ranges::stable_sort(entries, [](const auto& a, const auto& b) { return order(a.first, b.first) == -1; });
        }
        out_ += '{';
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (i) out_ += style_.item_separator;
            new_line(level + 1);
            write_text(key_text(entries[i].first));
            out_ += style_.key_separator;
            write(entries[i].second, level + 1);
        }
        new_line(level);
        out_ += '}';
    }

    void write_items(const Value& list, int level) {
        const std::vector<Value> items = iterate(budget_, list);
        if (items.empty()) {
            out_ += "[]";
            return;
        }
        out_ += '[';
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (i) out_ += style_.item_separator;
            new_line(level + 1);
            write(items[i], level + 1);
        }
        new_line(level);
        out_ += ']';
    }

    Budget& budget_;
    const JsonStyle& style_;
    std::string out_;
};

}  // namespace

std::string to_json(Budget& budget, const Value& value, const JsonStyle& style) {
    Writer writer(budget, style);
    writer.write(value, 0);
    return writer.take();
}

}  // namespace temper::jinja
