#include "retrieval/clean_html.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "io/text.h"
#include "retrieval/charset.h"
#include "retrieval/html_tree.h"
#include "retrieval/html_writer.h"

namespace temper {
namespace {

using Names = std::set<std::string, std::less<>>;

// Forms and buttons are not among them: whole pages stand in a form, and a title that opens what is below it is a button.
const Names never_text = {"script", "style", "noscript", "template", "head",  "iframe",   "object",   "embed",  "svg",    "math",    "canvas",
                          "video",  "audio", "map",      "select",   "input", "textarea", "datalist", "dialog", "applet", "frameset"};
const Names around_content = {"nav", "footer", "aside", "menu"};
const Names around_roles = {"navigation", "banner", "contentinfo", "complementary", "search", "menu", "menubar", "dialog", "alertdialog"};
const Names around_classes = {"nav",        "navbar",         "navigation",    "sidebar",       "breadcrumb",     "breadcrumbs",
                              "footer",     "site-footer",    "cookie-banner", "cookie-notice", "cookie-consent", "advertisement",
                              "ads",        "advert",         "share-buttons", "social-share",  "pagination",     "skip-link",
                              "headerlink", "toctree-wrapper"};
const Names blocks = {"p",  "div", "section", "article", "main", "header",  "blockquote", "figure", "figcaption", "table",
                      "ul", "ol",  "dl",      "address", "hr",   "details", "summary",    "center", "fieldset",   "form"};
const Names lines = {"br", "tr", "dt", "dd", "caption"};

bool has_word_of(const std::string& value, const Names& names) {
    const std::string words = ascii_lower(value);
    for (std::size_t begin = 0; begin < words.size();) {
        const std::size_t end = std::min(words.find_first_of(" \t\n", begin), words.size());
        if (names.count(std::string_view(words).substr(begin, end - begin)) > 0) return true;
        begin = end + 1;
    }
    return false;
}

// A page that hides itself as a whole waits for its script, which shows it.
bool is_hidden(const xmlNode* node) {
    if (element_name(node) == "html" || element_name(node) == "body") return false;
    if (has_attribute(node, "hidden") || ascii_lower(attribute(node, "aria-hidden")) == "true") return true;
    std::string style = ascii_lower(attribute(node, "style"));
    style.erase(std::remove_if(style.begin(), style.end(), [](unsigned char c) { return std::isspace(c) != 0; }), style.end());
    return style.find("display:none") != std::string::npos || style.find("visibility:hidden") != std::string::npos;
}

// More than so many bytes, or so much in it that it is not looked through for them.
bool is_long(const xmlNode* root, std::size_t most_text) {
    constexpr int most_nodes = 100;
    std::size_t text = 0;
    int nodes = 0;
    walk_html(
        root,
        [&](const xmlNode* node) {
            text += text_of(node).size();
            return ++nodes <= most_nodes && text <= most_text;
        },
        [](const xmlNode*) {});
    return nodes > most_nodes || text > most_text;
}

bool is_first_in_parent(const xmlNode* node) {
    constexpr std::string_view blanks = " \t\n\r\f";
    for (node = node->prev; node != nullptr; node = node->prev)
        if (node->type == XML_ELEMENT_NODE || text_of(node).find_first_not_of(blanks) != std::string_view::npos) return false;
    return true;
}

// A button that opens a part of the page is its title. A short one behind other text does something with it: "Copy", "Share".
bool is_control(const xmlNode* node, std::string_view name) {
    constexpr std::size_t longest_label = 40;
    if (name != "button") return false;
    const std::string type = ascii_lower(attribute(node, "type"));
    if (type == "submit" || type == "reset") return true;
    if (has_attribute(node, "aria-expanded") || has_attribute(node, "aria-controls")) return false;
    return !is_first_in_parent(node) && !is_long(node, longest_label);
}

bool is_around_content(const xmlNode* node, std::string_view name) {
    if (around_content.count(name) > 0 || has_word_of(attribute(node, "role"), around_roles)) return true;
    // A class of the page's body or of its main part names the page, not a part of it.
    if (name == "body" || name == "html" || name == "main" || name == "article") return false;
    return has_word_of(attribute(node, "class"), around_classes) || has_word_of(attribute(node, "id"), around_classes);
}

int heading_level(std::string_view name) { return name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6' ? name[1] - '0' : 0; }

std::string all_text(const xmlNode* root) {
    std::string text;
    walk_html(
        root,
        [&](const xmlNode* node) {
            text += text_of(node);
            return true;
        },
        [](const xmlNode*) {});
    return text;
}

// Of <pre>: lines end where the page ends them, by a line end, a <br> or a block.
std::string verbatim_text(const xmlNode* root) {
    std::string text;
    const auto bound_line = [&](std::string_view name) {
        const bool is_line = blocks.count(name) > 0 || name == "li" || name == "tr";
        if (is_line && !text.empty() && text.back() != '\n') text += '\n';
    };
    walk_html(
        root,
        [&](const xmlNode* node) {
            const std::string_view name = element_name(node);
            if (name == "br") text += '\n';
            else bound_line(name);
            text += text_of(node);
            return name.empty() || (never_text.count(name) == 0 && name != "button" && !is_hidden(node));
        },
        [&](const xmlNode* node) { bound_line(element_name(node)); });
    return text;
}

bool is_cell(const xmlNode* node) {
    const std::string_view name = node != nullptr ? element_name(node) : "";
    return name == "td" || name == "th";
}

const xmlNode* element_beside(const xmlNode* node, xmlNode* xmlNode::*way) {
    node = node->*way;
    while (node != nullptr && node->type != XML_ELEMENT_NODE) node = node->*way;
    return node;
}

// A cell of data is one line of its row; one that lays the page out holds parts of it, each on lines of its own: it stands alone, is long, or
// holds another table, a title or code.
bool is_data_cell(const xmlNode* cell) {
    constexpr std::size_t most_text = 1000;
    constexpr int most_nodes = 500;
    if (!is_cell(element_beside(cell, &xmlNode::next)) && !is_cell(element_beside(cell, &xmlNode::prev))) return false;
    std::size_t text = 0;
    int nodes = 0;
    bool data = true;
    walk_html(
        cell,
        [&](const xmlNode* node) {
            const std::string_view name = element_name(node);
            text += text_of(node).size();
            data = data && ++nodes <= most_nodes && text <= most_text && name != "table" && name != "h1" && name != "h2" && name != "pre";
            return data;
        },
        [](const xmlNode*) {});
    return data;
}

std::string one_line(const std::string& text) {
    HtmlWriter writer;
    writer.words(text);
    std::string line = writer.take();
    if (!line.empty()) line.pop_back();
    return line;
}

struct Page {
    const xmlNode* html = nullptr;
    const xmlNode* main = nullptr;  // what marks itself as the page's content, or null
};

void take(Json& metadata, const char* key, const std::string& value) {
    if (!value.empty() && !metadata.contains(key)) metadata[key] = one_line(value);
}

// What the page says of itself, and where its content lies.
Page survey(const xmlDoc& document, Json& metadata) {
    Page page;
    page.html = document.children;
    while (page.html != nullptr && page.html->type != XML_ELEMENT_NODE) page.html = page.html->next;
    if (page.html == nullptr) return page;
    const xmlNode* article = nullptr;
    int articles = 0;
    std::string title, heading;
    Json found = Json::object();
    walk_html(
        page.html,
        [&](const xmlNode* node) {
            const std::string_view name = element_name(node);
            if (name == "title" && title.empty()) title = all_text(node);
            if (name == "h1" && heading.empty()) heading = all_text(node);
            if (page.main == nullptr && (name == "main" || ascii_lower(attribute(node, "role")) == "main") && !is_hidden(node)) page.main = node;
            if (name == "article" && ++articles == 1) article = node;
            if (name == "html") take(metadata, "language", attribute(node, "lang"));
            if (name == "link" && ascii_lower(attribute(node, "rel")) == "canonical") take(found, "url", attribute(node, "href"));
            if (name == "time" && ascii_lower(attribute(node, "itemprop")) == "datepublished") take(found, "date", attribute(node, "datetime"));
            if (name == "meta") {
                const std::string key = ascii_lower(attribute(node, "name") + attribute(node, "property")), value = attribute(node, "content");
                if (key == "og:title") take(found, "title", value);
                if (key == "author" || key == "article:author") take(found, "author", value);
                if (key == "date" || key == "article:published_time" || key == "dc.date") take(found, "date", value);
                if (key == "description" || key == "og:description") take(found, "description", value);
            }
            return true;
        },
        [](const xmlNode*) {});
    take(metadata, "title", one_line(title));
    for (const auto& [key, value] : found.items()) take(metadata, key.c_str(), value.get<std::string>());
    take(metadata, "title", one_line(heading));
    if (page.main == nullptr && articles == 1) page.main = article;
    return page;
}

// Markdown of one part of a page.
class Reader {
  public:
    explicit Reader(bool everything) : everything_(everything) {}
    std::string read(const xmlNode* root) {
        walk_html(
            root, [&](const xmlNode* node) { return enter(node); }, [&](const xmlNode* node) { leave(node); });
        return writer_.take();
    }

  private:
    bool enter(const xmlNode* node) {
        if (const std::string_view text = text_of(node); !text.empty()) {
            writer_.words(text);
            return false;
        }
        const std::string_view name = element_name(node);
        if (name.empty() || never_text.count(name) > 0 || is_control(node, name) || is_hidden(node)) return false;
        if (!everything_ && is_around_content(node, name)) return false;
        if (name == "pre") {
            writer_.verbatim(verbatim_text(node));
            return false;
        }
        if (name == "img") writer_.words(attribute(node, "alt"));
        if (data_cell_ != nullptr) {
            part_of_cell(name);
        } else if (const int level = heading_level(name); level > 0) {
            writer_.break_line(true);
            writer_.mark(std::string(static_cast<std::size_t>(level), '#') + " ");
        } else if (name == "li") {
            writer_.break_line(false);
            const std::size_t depth = lists_.empty() ? 0 : std::min<std::size_t>(lists_.size() - 1, 8);
            const bool numbered = !lists_.empty() && lists_.back() > 0;
            writer_.mark(std::string(2 * depth, ' ') + (numbered ? std::to_string(lists_.back()++) + ". " : "- "));
        } else if (name == "td" || name == "th") {
            if (cells_++ > 0) writer_.words(" | ");
            if (is_data_cell(node)) data_cell_ = node;
        } else {
            boundary(name);
        }
        if (name == "tr") cells_ = 0;
        if (name == "ul" || name == "ol") lists_.push_back(name == "ol" ? 1 : 0);
        return true;
    }

    void leave(const xmlNode* node) {
        const std::string_view name = element_name(node);
        if (name == "ul" || name == "ol") lists_.pop_back();
        if (node == data_cell_) data_cell_ = nullptr;
        if (data_cell_ != nullptr) {
            part_of_cell(name);
        } else if (heading_level(name) > 0) {
            writer_.mark("");
            writer_.break_line(true);
        } else if (name == "li") {
            writer_.break_line(false);
        } else {
            boundary(name);
        }
    }

    // What would be a line of its own elsewhere.
    void part_of_cell(std::string_view name) {
        if (blocks.count(name) > 0 || lines.count(name) > 0 || name == "li" || heading_level(name) > 0) writer_.words(" ");
    }

    // Blocks within an item of a list stay beside one another.
    void boundary(std::string_view name) {
        if (blocks.count(name) > 0) writer_.break_line(lists_.empty());
        else if (lines.count(name) > 0) writer_.break_line(false);
    }

    bool everything_;
    HtmlWriter writer_;
    std::vector<int> lists_;              // open ones: the next number, 0 where they are not numbered
    int cells_ = 0;                       // of the row
    const xmlNode* data_cell_ = nullptr;  // the cell that is read as one line
};

}  // namespace

std::string html_to_markdown(std::string_view bytes, Json& metadata, const std::string& place) {
    const std::shared_ptr<xmlDoc> document = parse_html(decode_html(bytes), place);
    if (!document) return "";
    const Page page = survey(*document, metadata);
    if (page.html == nullptr) return "";
    // A main part that holds next to nothing (it is filled by a script, or is a teaser) is not the page's content.
    std::string text = page.main != nullptr ? Reader(false).read(page.main) : "";
    if (text.size() < 200) {
        std::string whole = Reader(false).read(page.html);
        if (whole.size() > 4 * text.size()) text = std::move(whole);
    }
    return text.empty() ? Reader(true).read(page.html) : text;
}

}  // namespace temper
