// Rows of JSONL and its kin, as documents.
#include <algorithm>
#include <array>
#include <deque>

#include "io/durable.h"
#include "io/json_text.h"
#include "io/row_source.h"
#include "kernels/error.h"
#include "retrieval/document_source.h"
#include "retrieval/extended_json.h"
#include "retrieval/file_kind.h"

namespace temper {
namespace {

constexpr std::array text_names = {"text", "content", "markdown", "html", "body"};
constexpr std::array id_names = {"id", "_id", "url", "link"};

// HTML in a field of any name begins as a page or as an element does.
bool looks_like_html(const std::string& text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string::npos || text[first] != '<' || text.size() < first + 2) return false;
    std::string begin = text.substr(first, 16);
    for (char& c : begin) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    constexpr std::array starts = {"<!doctype html", "<html", "<head", "<body", "<div", "<p>", "<p ", "<article", "<section", "<main", "<h1", "<h2"};
    return std::any_of(starts.begin(), starts.end(), [&](const char* start) { return begin.starts_with(start); });
}

class RowDocuments final : public DocumentSource {
  public:
    explicit RowDocuments(const FeatureSource& source) : source_(source), rows_(open_rows(source.path)) {}

    bool next(Document& document) override {
        while (waiting_.empty()) {
            Json row;
            if (!rows_->next(row)) return false;
            add(std::move(row));
        }
        document = std::move(waiting_.front());
        waiting_.pop_front();
        return true;
    }

  private:
    // The name that is set, which must be there, or the first of the usual ones that is; empty without any.
    template <class Names> std::string field_of(const Json& row, const std::string& chosen, const Names& usual, const char* what) const {
        if (!chosen.empty()) {
            if (!row.contains(chosen)) throw_error(ExitCode::bad_data, "{}: no field \"{}\", which {} names", rows_->place(), chosen, what);
            return chosen;
        }
        for (const char* name : usual)
            if (row.contains(name) && !row[name].is_null()) return name;
        return "";
    }

    void add(Json row) {
        if (!row.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", rows_->place(), row.type_name());
        flatten_extended_json(row, rows_->place());
        const std::string text_name = field_of(row, source_.text_field, text_names, "text_field");
        if (text_name.empty())
            throw_error(ExitCode::bad_data, "{}: none of the fields text, content, markdown, html, body: name the text's as text_field",
                        rows_->place());
        const std::string id_name = field_of(row, source_.id_field, id_names, "id_field");
        Document document;
        document.place = rows_->place();
        document.id = id_name.empty() ? "" : text_or_json(row[id_name]);
        document.category = category_of(row);
        document.metadata = metadata_of(row, text_name, id_name);
        const Json& text = row[text_name];
        if (text.is_object()) {
            add_parts(std::move(document), text);
        } else if (text.is_string()) {
            document.form = text_name == "html" || looks_like_html(text.get_ref<const std::string&>()) ? TextForm::html : TextForm::markdown;
            document.text = text.get<std::string>();
            give(std::move(document));
        } else {
            throw_error(ExitCode::bad_data, "{}: {}: expected text or a map of texts, found {}", rows_->place(), text_name, text.type_name());
        }
    }

    std::string category_of(const Json& row) const {
        if (source_.category_field.empty() || !row.contains(source_.category_field) || row[source_.category_field].is_null()) return source_.category;
        std::string category = text_or_json(row[source_.category_field]);
        if (!is_category_name(category))
            throw_error(ExitCode::bad_data, "{}: {} is \"{}\", expected letters, digits, '-', '_' and '.', a letter or digit first, at most 64",
                        rows_->place(), source_.category_field, category.substr(0, 80));
        return category;
    }

    // A field "metadata" that is a map is laid open.
    Json metadata_of(const Json& row, const std::string& text_name, const std::string& id_name) const {
        Json metadata = Json::object();
        for (const auto& [name, value] : source_.metadata) metadata[name] = value;
        const auto take = [&](const std::string& name, const Json& value) {
            const auto& wanted = source_.metadata_fields;
            if (wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end()) metadata[name] = value;
        };
        for (const auto& [name, value] : row.items()) {
            const bool other_use = name == text_name || name == source_.category_field || (name == id_name && (name == "id" || name == "_id"));
            if (other_use || value.is_null()) continue;
            if (name == "metadata" && value.is_object()) {
                for (const auto& [inner, inner_value] : value.items()) take(inner, inner_value);
            } else {
                take(name, value);
            }
        }
        return metadata;
    }

    // {"Title": …, "Content": …} is one text; {"src/main.cpp": …} are files of a repository.
    void add_parts(Document whole, const Json& parts) {
        std::string text;
        bool files = !parts.empty();
        for (const auto& [name, value] : parts.items()) files = files && value.is_string() && name.find_first_of("./") != std::string::npos;
        for (const auto& [name, value] : parts.items()) {
            if (value.is_null()) continue;
            if (!value.is_string()) throw_error(ExitCode::bad_data, "{}: {}: expected text, found {}", whole.place, name, value.type_name());
            const auto part = value.get<std::string>();
            if (!files) {
                if (part.find_first_not_of(" \t\r\n") != std::string::npos) text += "# " + name + "\n\n" + part + "\n\n";
                continue;
            }
            const FileKind kind = kind_of_file(name, part);
            if (!kind.reason.empty() || kind.pdf) {
                ++passed_over_[kind.pdf ? "PDF in a row" : kind.reason];
                continue;
            }
            Document file = whole;
            file.id = (whole.id.empty() ? "sha256:" + sha256_hex(json_text(whole.metadata)).substr(0, 16) : whole.id) + "/" + name;
            file.form = kind.form;
            file.text = part;
            file.metadata["path"] = name;
            give(std::move(file));
        }
        if (files) return;
        whole.form = TextForm::markdown;
        whole.text = std::move(text);
        give(std::move(whole));
    }

    void give(Document document) {
        if (document.id.empty()) document.id = "sha256:" + sha256_hex(document.text).substr(0, 16);
        waiting_.push_back(std::move(document));
    }

    FeatureSource source_;
    std::unique_ptr<RowSource> rows_;
    std::deque<Document> waiting_;
};

}  // namespace

std::unique_ptr<DocumentSource> open_documents_of_rows(const FeatureSource& source) { return std::make_unique<RowDocuments>(source); }

}  // namespace temper
