#include "io/yaml.h"

#include <algorithm>
#include <map>
#include <sstream>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "io/jsonl.h"
#include "kernels/error.h"

namespace temper {
namespace {

struct Anchored {
    YamlNode node;
    std::size_t nodes;
};

// Builds the tree from the parser's events; a stack holds the collections that are still open.
class TreeBuilder : public YAML::EventHandler {
  public:
    TreeBuilder(const std::string& place, const YamlLimits& limits) : place_(place), limits_(limits) {}

    YamlNode take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ > 1) fail(mark, "a second document starts here, expected one");
    }
    void OnDocumentEnd() override {}
    void OnAnchor(const YAML::Mark&, const std::string&) override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { place_node(make(mark, YamlNode::Kind::null), anchor); }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) fail(mark, "an alias inside the node that it names");
        count(mark, found->second.nodes);
        YamlNode copy = found->second.node;
        place_node(std::move(copy), 0);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
        YamlNode node = make(mark, YamlNode::Kind::scalar);
        node.text = value;
        node.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
        static const char* const plain[] = {"",
                                            "?",
                                            "!",
                                            "tag:yaml.org,2002:str",
                                            "tag:yaml.org,2002:int",
                                            "tag:yaml.org,2002:float",
                                            "tag:yaml.org,2002:bool",
                                            "tag:yaml.org,2002:null"};
        if (std::find(std::begin(plain), std::end(plain), tag) == std::end(plain)) fail(mark, fmt::format("tag {} is not known here", tag));
        place_node(std::move(node), anchor);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, YamlNode::Kind::sequence);
    }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, YamlNode::Kind::map);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapEnd() override { close(); }

  private:
    struct Open {
        YamlNode node;
        YAML::anchor_t anchor;
        std::size_t nodes_before;
        bool key_pending = false;  // a map's key was read, its value comes next
    };

    [[noreturn]] void fail(const YAML::Mark& mark, const std::string& what) const {
        throw_error(ExitCode::usage, "{}:{}:{}: {}", place_, mark.line + 1, mark.column + 1, what);
    }

    void count(const YAML::Mark& mark, std::size_t more) {
        nodes_ += more;
        if (nodes_ > limits_.max_nodes) fail(mark, fmt::format("more than {} values, aliases counted as what they stand for", limits_.max_nodes));
    }

    YamlNode make(const YAML::Mark& mark, YamlNode::Kind kind) {
        count(mark, 1);
        YamlNode node;
        node.kind = kind;
        node.line = mark.line + 1;
        node.column = mark.column + 1;
        return node;
    }

    void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode::Kind kind) {
        if (!(tag.empty() || tag == "?" || tag == "!" || tag == "tag:yaml.org,2002:map" || tag == "tag:yaml.org,2002:seq"))
            fail(mark, fmt::format("tag {} is not known here", tag));
        if (static_cast<int>(stack_.size()) >= limits_.max_depth) fail(mark, fmt::format("nested deeper than {} levels", limits_.max_depth));
        const std::size_t before = nodes_;
        YamlNode node = make(mark, kind);
        if (!stack_.empty() && stack_.back().node.kind == YamlNode::Kind::map && !stack_.back().key_pending) fail(mark, "a key must be plain text");
        stack_.push_back({std::move(node), anchor, before, false});
    }

    void close() {
        Open done = std::move(stack_.back());
        stack_.pop_back();
        place_node(std::move(done.node), done.anchor, nodes_ - done.nodes_before);
    }

    void place_node(YamlNode node, YAML::anchor_t anchor, std::size_t nodes = 1) {
        if (anchor != 0) anchors_[anchor] = {node, nodes};
        if (stack_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& parent = stack_.back();
        if (parent.node.kind == YamlNode::Kind::map && !parent.key_pending) {
            add_key(parent, std::move(node));
            return;
        }
        if (node.kind == YamlNode::Kind::null && parent.node.kind == YamlNode::Kind::map) {  // yaml-cpp marks what follows it
            node.line = parent.node.keys.back().line;
            node.column = parent.node.keys.back().column;
        }
        parent.key_pending = false;
        parent.node.values.push_back(std::move(node));
    }

    void add_key(Open& parent, YamlNode key) {
        if (key.kind != YamlNode::Kind::scalar)
            throw_error(ExitCode::usage, "{}:{}:{}: a key must be plain text, found {}", place_, key.line, key.column, key.describe());
        for (const YamlNode& earlier : parent.node.keys)
            if (earlier.text == key.text)
                throw_error(ExitCode::usage, "{}:{}:{}: duplicate key \"{}\", first given on line {}", place_, key.line, key.column, key.text,
                            earlier.line);
        parent.node.keys.push_back(std::move(key));
        parent.key_pending = true;
    }

    const std::string& place_;
    const YamlLimits& limits_;
    int documents_ = 0;
    std::size_t nodes_ = 0;
    std::vector<Open> stack_;
    std::map<YAML::anchor_t, Anchored> anchors_;
    YamlNode root_;
};

bool looks_like_number(const std::string& text) {
    return !text.empty() && text.find_first_not_of("+-.0123456789eE") == std::string::npos && text.find_first_of("0123456789") != std::string::npos;
}

void check_text(const std::string& text, const std::string& place, const YamlLimits& limits) {
    if (text.size() > limits.max_bytes)
        throw_error(ExitCode::usage, "{}: {} bytes, at most {} are read as a configuration", place, text.size(), limits.max_bytes);
    std::size_t bad = find_invalid_utf8(text);
    const char* what = "invalid UTF-8";
    if (bad == std::string::npos) {
        bad = text.find('\0');
        what = "a NUL byte";
    }
    if (bad == std::string::npos) return;
    const std::size_t line_start = bad == 0 ? 0 : text.rfind('\n', bad - 1) + 1;
    throw_error(ExitCode::usage, "{}:{}:{}: {}", place, 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n'),
                bad - line_start + 1, what);
}

}  // namespace

const YamlNode* YamlNode::find(const std::string& key) const {
    for (std::size_t i = 0; i < keys.size(); ++i)
        if (keys[i].text == key) return &values[i];
    return nullptr;
}

std::string YamlNode::describe() const {
    switch (kind) {
        case Kind::null: return "null";
        case Kind::sequence: return fmt::format("a list of {}", values.size());
        case Kind::map: return fmt::format("a map of {}", values.size());
        case Kind::scalar: break;
    }
    if (!quoted && looks_like_number(text)) return fmt::format("the number {}", text);
    if (!quoted && (text == "true" || text == "false")) return text;
    return fmt::format("text \"{}\"", text.size() <= 80 ? text : text.substr(0, 77) + "...");
}

YamlNode parse_yaml(const std::string& text, const std::string& place, const YamlLimits& limits) {
    check_text(text, place, limits);
    // yaml-cpp 0.7 closes an open quote at the end of the text without a word; before a document's end it does complain.
    std::istringstream stream(text + (text.ends_with('\n') ? "...\n" : "\n...\n"));
    TreeBuilder builder(place, limits);
    try {
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {}
    } catch (const YAML::Exception& error) {
        const bool open_quote = error.msg.find("in scalar") != std::string::npos;
        throw_error(ExitCode::usage, "{}:{}:{}: not valid YAML: {}", place, error.mark.line + 1, error.mark.column + 1,
                    open_quote ? "a quote opened before is not closed" : error.msg);
    }
    return builder.take();
}

}  // namespace temper
