// Rows of JSONL and its kin, as documents.
#include <algorithm>
#include <array>
#include <deque>

#include "io/durable.h"
#include "io/json_text.h"
#include "io/rows/row_source.h"
#include "kernels/error.h"
#include "retrieval/document_source.h"
#include "retrieval/extended_json.h"
#include "retrieval/file_kind.h"
#include "retrieval/html_marks.h"

namespace temper {
namespace {

constexpr std::array text_names = {"text", "content", "markdown", "html", "body"};
constexpr std::array id_names = {"id", "_id", "url", "link"};

constexpr std::array path_names = {"path", "filename", "file_name", "file_path"};

class RowDocuments final : public DocumentSource {
  public:
    explicit RowDocuments(const FeatureSource& source) : source_(source), rows_(open_rows(source.path)) {}

    bool next(Document& document) override {
        while (waiting_.empty()) {
            Json row;
            document = Document();
            const bool more = read(row, document);
            if (!more) return false;
            add(std::move(row), document);
        }
        document = std::move(waiting_.front());
        waiting_.pop_front();
        return true;
    }

  private:
    // A failure knows the document's place, as far as there is one.
    bool read(Json& row, Document& document) {
        try {
            const bool more = rows_->next(row);
            document.place = rows_->place();
            return more;
        } catch (const Error&) {
            document.place = rows_->line() > 0 ? rows_->place() : source_.path;
            throw;
        }
    }

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

    void add(Json row, Document& document) {
        if (!row.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", rows_->place(), row.type_name());
        flatten_extended_json(row, rows_->place());
        const std::string text_name = field_of(row, source_.text_field, text_names, "text_field");
        if (text_name.empty())
            throw_error(ExitCode::bad_data, "{}: none of the fields text, content, markdown, html, body: name the text's as text_field",
                        rows_->place());
        const std::string id_name = field_of(row, source_.id_field, id_names, "id_field");
        document.id = id_name.empty() ? "" : text_or_json(row[id_name]);
        document.category = category_of(row);
        document.metadata = metadata_of(row, text_name, id_name);
        const Json& text = row[text_name];
        if (text.is_object()) {
            add_parts(document, text);
        } else if (text.is_string()) {
            document.text = text.get<std::string>();
            document.form = form_of(row, text_name, document);
            if (document.id.empty()) document.id = id_of(document.text);
            if (document.form == TextForm::html) document.text = with_paragraphs(document.text);
            give(document);
        } else {
            throw_error(ExitCode::bad_data, "{}: {}: expected text or a map of texts, found {}", rows_->place(), text_name, text.type_name());
        }
    }

    static std::string id_of(const std::string& text) { return "sha256:" + sha256_hex(text).substr(0, 16); }

    // What is written down decides before what the text looks like. An extracted text keeps the name of the page that it comes from, so that
    // an ending of HTML decides nothing; nor does the ending of a URL, which may be a program's.
    TextForm form_of(const Json& row, const std::string& text_name, const Document& document) const {
        if (const auto chosen = form_of_name(source_.text_form)) return *chosen;
        if (text_name == "html") return TextForm::html;
        if (text_name == "markdown") return TextForm::markdown;
        for (const char* name : path_names)
            if (row.contains(name) && row[name].is_string()) {
                const auto form = form_of_ending(row[name].get_ref<const std::string&>());
                if (form && form != TextForm::html) return *form;
            }
        if (document.category == "repository") return TextForm::code;
        if (looks_like_html(document.text)) return TextForm::html;
        const bool url = document.id.find("://") != std::string::npos;
        return !url && form_of_ending(document.id) == TextForm::code ? TextForm::code : TextForm::markdown;
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
        bool html = source_.text_form == "html";
        bool files = !parts.empty();
        for (const auto& [name, value] : parts.items()) {
            files = files && value.is_string() && name.find_first_of("./") != std::string::npos;
            if (source_.text_form == "auto" && value.is_string()) html = html || looks_like_html(value.get_ref<const std::string&>());
        }
        for (const auto& [name, value] : parts.items()) {
            if (value.is_null()) continue;
            if (!value.is_string()) throw_error(ExitCode::bad_data, "{}: {}: expected text, found {}", whole.place, name, value.type_name());
            const auto part = value.get<std::string>();
            if (!files) {
                if (part.find_first_not_of(" \t\r\n") != std::string::npos)
                    text += html ? "<h1>" + name + "</h1>\n" + part + "\n\n" : "# " + name + "\n\n" + part + "\n\n";
                continue;
            }
            const FileKind kind = kind_of_file(name, part);
            if (!kind.reason.empty() || kind.pdf) {
                ++passed_over_[kind.pdf ? "PDF in a row" : kind.reason];
                continue;
            }
            Document file = whole;
            file.id = (whole.id.empty() ? id_of(json_text(whole.metadata)) : whole.id) + "/" + name;
            file.form = kind.form;
            file.text = part;
            file.metadata["path"] = name;
            give(std::move(file));
        }
        if (files) return;
        whole.form = html ? TextForm::html : TextForm::markdown;
        whole.text = std::move(text);
        give(std::move(whole));
    }

    void give(Document document) {
        if (document.id.empty()) document.id = id_of(document.text);
        waiting_.push_back(std::move(document));
    }

    FeatureSource source_;
    std::unique_ptr<RowSource> rows_;
    std::deque<Document> waiting_;
};

}  // namespace

std::unique_ptr<DocumentSource> open_documents_of_rows(const FeatureSource& source) { return std::make_unique<RowDocuments>(source); }

}  // namespace temper
