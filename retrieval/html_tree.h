// A page parsed by libxml2, as a tree that is walked without recursion. Internal to retrieval/.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include <libxml/tree.h>

namespace temper {

// `utf8` is valid UTF-8. bad_data with `place` for what would take the parser longer than its size tells: elements nested too deep, too many
// attributes; also for pages over 64 MB.
std::shared_ptr<xmlDoc> parse_html(std::string_view utf8, const std::string& place);

std::string_view element_name(const xmlNode* node);            // lower case; empty for what is no element
std::string attribute(const xmlNode* node, const char* name);  // empty where it is absent
bool has_attribute(const xmlNode* node, const char* name);
std::string_view text_of(const xmlNode* node);  // of a text node, else empty

// enter(node) for each node under and with `root` in document order, false to pass over its children; leave(node) behind them, where it was entered.
template <class Enter, class Leave> void walk_html(const xmlNode* root, Enter&& enter, Leave&& leave) {
    for (const xmlNode* node = root; node != nullptr;) {
        const bool entered = enter(node);
        if (entered && node->children != nullptr) {
            node = node->children;
            continue;
        }
        if (entered) leave(node);
        while (node != root && node->next == nullptr) {
            node = node->parent;
            leave(node);
        }
        node = node == root ? nullptr : node->next;
    }
}

}  // namespace temper
