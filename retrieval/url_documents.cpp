// A list of URLs, one a line; '#' begins a comment.
#include <algorithm>
#include <set>

#include "io/durable.h"
#include "io/log.h"
#include "kernels/error.h"
#include "retrieval/charset.h"
#include "retrieval/document_source.h"
#include "retrieval/iso_date.h"
#include "retrieval/page_fetcher.h"
#include "retrieval/pdf_text.h"

namespace temper {
namespace {

std::vector<std::string> read_list(const std::string& path) {
    const std::string text = read_file(path, std::size_t(64) << 20);
    std::vector<std::string> urls;
    std::set<std::string> seen;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        std::string line = text.substr(begin, end - begin);
        begin = end + 1;
        line.erase(0, std::min(line.find_first_not_of(" \t\r"), line.size()));
        line.erase(line.find_last_not_of(" \t\r") + 1);
        if (line.empty() || line[0] == '#' || !seen.insert(line).second) continue;
        urls.push_back(line);
    }
    return urls;
}

class UrlDocuments final : public DocumentSource {
  public:
    UrlDocuments(const FeatureSource& source, const FeaturesConfig& config, const std::filesystem::path& pages, const std::function<bool()>& stop)
        : source_(source), config_(config), cache_(pages), urls_(read_list(source.path)) {
        PageFetcher fetcher(config.fetch, static_cast<std::size_t>(config.cleaning.max_file_bytes), cache_, stop);
        outcomes_ = fetcher.fetch(urls_);
    }

    bool next(Document& document) override {
        while (at_ < outcomes_.size()) {
            const std::size_t i = at_++;
            if (!outcomes_[i].available) {
                log_warning("{}: passed over: {}", urls_[i], outcomes_[i].reason);
                ++passed_over_[outcomes_[i].reason.starts_with("status ") || outcomes_[i].reason == "robots.txt" ? outcomes_[i].reason
                                                                                                                 : "cannot be fetched"];
                continue;
            }
            const std::optional<CachedPage> page = cache_.find(urls_[i]);
            if (page && fill(*page, document)) return true;
        }
        return false;
    }

  private:
    bool fill(const CachedPage& page, Document& document) {
        std::string type = page.content_type.substr(0, page.content_type.find(';'));
        type.erase(std::remove(type.begin(), type.end(), ' '), type.end());
        document = Document();
        document.id = document.place = page.url;
        document.category = source_.category;
        for (const auto& [name, value] : source_.metadata) document.metadata[name] = value;
        document.metadata["url"] = page.final_url;
        if (!page.last_modified.empty()) document.metadata["last_modified"] = iso_of_http_date(page.last_modified);
        if (type == "application/pdf") return fill_pdf(page, document);
        if (type.empty() || type == "text/html" || type == "application/xhtml+xml") document.form = TextForm::html;
        else if (type == "text/markdown" || type == "text/x-markdown") document.form = TextForm::markdown;
        else if (!type.starts_with("text/")) return pass_over("content of type " + type.substr(0, 64));
        // What the server says of the encoding goes before what the page says: decoded here, and marked as UTF-8.
        document.text = "\xef\xbb\xbf" + decode_html(page.body, charset_of(page.content_type));
        return true;
    }

    bool fill_pdf(const CachedPage& page, Document& document) {
        if (!has_pdf_reader()) return pass_over("PDF without pdftotext");
        document.text = read_pdf(cache_.body(page.url),
                                 {static_cast<double>(config_.cleaning.pdf_seconds), static_cast<std::size_t>(config_.cleaning.max_file_bytes)});
        return true;
    }

    bool pass_over(const std::string& reason) {
        ++passed_over_[reason];
        return false;
    }

    FeatureSource source_;
    const FeaturesConfig& config_;
    PageCache cache_;
    std::vector<std::string> urls_;
    std::vector<FetchOutcome> outcomes_;
    std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<DocumentSource> open_pages(const FeatureSource& source, const FeaturesConfig& config, const std::filesystem::path& pages,
                                           const std::function<bool()>& stop) {
    return std::make_unique<UrlDocuments>(source, config, pages, stop);
}

}  // namespace temper
