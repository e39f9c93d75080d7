// Settings declared once. A struct's describe() lists its fields (name, member, help, check); from that list come the YAML parser with errors
// that name file, line and column, key=value, the environment, the resolved dump, the JSON Schema and the reference table.
//   template <class Visitor> void describe(Visitor& v, Training& t) {
//       v("seed", t.seed, "Seed of every random number.", at_least(0));
//       v("learning_rate", t.learning_rate, "Peak learning rate.", positive()).differs("2e-5");
//   }
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace temper {

using Json = nlohmann::ordered_json;
struct YamlNode;

// What a value must be, as data: the error message and the JSON Schema both read it. For lists and maps it holds for each element.
struct Check {
    double minimum = -std::numeric_limits<double>::infinity();
    double maximum = std::numeric_limits<double>::infinity();
    bool open_minimum = false, open_maximum = false;  // the bound itself is excluded
    bool filled = false;                              // text: not empty
    std::vector<std::string> choices;
};
Check positive();
Check positive_up_to(double maximum);
Check at_least(double minimum);
Check range(double minimum, double maximum);      // both included
Check half_open(double minimum, double maximum);  // [minimum, maximum)
Check one_of(std::vector<std::string> choices);
Check not_empty();

class Fields;

// A list of structs; an element written as bare text is that struct's `shorthand` field.
class RecordList {
  public:
    virtual ~RecordList() = default;
    virtual void clear() = 0;
    virtual std::size_t size() const = 0;
    virtual void append() = 0;
    virtual Fields element(std::size_t index) = 0;
    virtual Fields defaults() = 0;  // of a fresh element owned by this list
    std::string shorthand;
};

using Target = std::variant<bool*, std::int64_t*, double*, std::string*, std::optional<double>*, std::optional<std::string>*,
                            std::vector<std::string>*, std::vector<double>*, std::vector<std::int64_t>*, std::map<std::string, double>*,
                            std::map<std::string, std::int64_t>*, std::map<std::string, std::string>*, std::shared_ptr<RecordList>>;

struct Field {
    std::string path;  // "train.learning_rate"
    std::string help;
    Check check;
    Target target;
    std::string unit_text, reference_default;

    std::string name() const;  // the last part of the path
    std::string section() const;
    Field& unit(const char* text);     // "tokens", "rows", ...
    Field& differs(const char* text);  // the default of the reference trainer, where ours is another
};

// The declared fields of one struct instance, and what may be said about names that are no fields.
class Fields {
  public:
    template <class T> Field& operator()(const char* name, T& value, const char* help, Check check = {}) { return add(name, &value, help, check); }

    template <class T> Field& records(const char* name, std::vector<T>& value, const char* shorthand, const char* help);

    template <class T> void section(const char* name, T& value, const char* help) {
        const std::string outer = prefix_;
        prefix_ += std::string(name) + ".";
        sections_.emplace_back(prefix_.substr(0, prefix_.size() - 1), help);
        describe(*this, value);
        prefix_ = outer;
    }

    // Other spellings of a field, accepted at the top level and in any section.
    void alias(const char* name, const char* path) { aliases_.emplace_back(name, path); }
    // Known names that set nothing here. Their text is kept for the owner of the settings, who decides (Settings::outside()). Those with
    // a meaning may stand in a file; the others are errors that say what to do.
    void outside(const char* name, const char* meaning = "") { outside_.emplace_back(name, meaning); }
    // A key of a file's top level that is no field: whoever owns the settings reads what stands below it from the tree.
    void subtree(const char* name) { subtrees_.emplace_back(name); }

    // What to say of an unknown name, as one that another program has; an empty answer leaves it to the nearest of ours.
    void explain_unknown(std::function<std::string(const std::string& name)> explain) { explain_ = std::move(explain); }
    std::string explanation_of(const std::string& name) const { return explain_ ? explain_(name) : ""; }

    const std::vector<Field>& all() const { return fields_; }
    const Field* find(const std::string& path) const;
    const std::vector<std::pair<std::string, std::string>>& sections() const { return sections_; }
    const std::vector<std::pair<std::string, std::string>>& aliases() const { return aliases_; }
    const std::vector<std::pair<std::string, std::string>>& outside_names() const { return outside_; }
    const std::vector<std::string>& subtrees() const { return subtrees_; }

  private:
    Field& add(const char* name, Target target, const char* help, Check check);

    std::string prefix_;
    std::vector<Field> fields_;
    std::vector<std::pair<std::string, std::string>> sections_, aliases_, outside_;
    std::vector<std::string> subtrees_;
    std::function<std::string(const std::string&)> explain_;
};

// Reads values into the struct behind the fields. Later sources win.
class Settings {
  public:
    explicit Settings(Fields fields) : fields_(std::move(fields)) {}
    // The usual sources, in their order: a file's text, the environment's TEMPER_..., what the command line assigns.
    Settings(Fields fields, const std::string& yaml, const std::string& place, const std::vector<std::string>& overrides);

    // Usage errors read "place:line:column: field: what was expected and found"; unknown keys name the nearest known one.
    void apply_yaml(const std::string& text, const std::string& place);
    // PREFIX_TRAIN__SEED sets train.seed: the path in capitals, "__" for the point.
    void apply_environment(const std::string& prefix);
    // "train.seed=1", or "seed=1" where only one field has that last part. The value is YAML.
    void apply_override(const std::string& assignment);

    struct Outside {
        std::string text, where;  // as written ("null" for nothing), and where it stood
    };
    const std::map<std::string, Outside>& outside() const { return outside_; }
    const std::vector<std::string>& notes() const { return notes_; }  // aliases taken and other things that a user should know
    bool was_set(const std::string& path) const { return set_by_.count(path) != 0; }
    std::string where(const std::string& path) const;   // "run.yaml:3:5", "the default"
    std::string key_of(const std::string& path) const;  // the name that it was given by, empty when it was not
    const Fields& fields() const { return fields_; }

  private:
    struct Source {
        std::string name;
        bool has_lines;
        int number;
    };
    struct Origin {
        int source;
        std::string key, where;
    };
    std::string place(const YamlNode& node) const;
    void note_misspelt_variables(const std::string& prefix);
    void apply_map(const std::string& section, const YamlNode& map);
    void apply_key(const std::string& section, const YamlNode& key, const YamlNode& value);
    void apply_section(const std::string& section, const YamlNode& key, const YamlNode& value);
    void apply_field(const Field& field, const YamlNode& key, const YamlNode& value);
    bool apply_alias(const std::string& path, const YamlNode& key, const YamlNode& value);
    bool apply_outside(const YamlNode& key, const YamlNode& value);
    bool apply_leaf(const YamlNode& key, const YamlNode& value);
    [[noreturn]] void fail_unknown(const std::string& section, const YamlNode& key) const;

    Fields fields_;
    Source source_{"", false, 0};
    std::map<std::string, Origin> set_by_;
    std::map<std::string, Outside> outside_;
    std::vector<std::string> notes_;
};

// Of the values as they stand, nested as the sections are, in the order of declaration.
Json settings_json(const Fields& fields);
Json settings_schema(const Fields& fields, const std::string& title);  // draft 2020-12; the values as they stand are the defaults
std::string settings_markdown(const Fields& fields);                   // the reference tables
std::string settings_help(const Fields& fields);                       // for --help: path, default and meaning, a line each

// One value: used by settings.cpp and by records of a list. `where` opens error messages.
void read_value(const Field& field, const YamlNode& value, const std::string& where, const std::string& source, bool has_lines);
Json value_json(const Field& field);
std::string type_name(const Field& field);       // "whole number", "text or list of texts"
std::string describe_check(const Check& check);  // " > 0", " (one of a, b)", or empty

template <class T> class RecordListOf final : public RecordList {
  public:
    RecordListOf(std::vector<T>& list, const char* short_name) : list_(list) { shorthand = short_name; }
    void clear() override { list_.clear(); }
    std::size_t size() const override { return list_.size(); }
    void append() override { list_.emplace_back(); }
    Fields element(std::size_t index) override { return fields_of(list_[index]); }
    Fields defaults() override {
        fresh_ = T();
        return fields_of(fresh_);
    }

  private:
    static Fields fields_of(T& value) {
        Fields fields;
        describe(fields, value);
        return fields;
    }
    std::vector<T>& list_;
    T fresh_;
};

template <class T> Field& Fields::records(const char* name, std::vector<T>& value, const char* shorthand, const char* help) {
    return add(name, std::static_pointer_cast<RecordList>(std::make_shared<RecordListOf<T>>(value, shorthand)), help, {});
}

}  // namespace temper
