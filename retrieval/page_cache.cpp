#include "retrieval/page_cache.h"

#include "io/durable.h"
#include "io/json_text.h"
#include "io/jsonl.h"
#include "kernels/error.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

Json head_of(const CachedPage& page) {
    return {{"url", page.url},
            {"final_url", page.final_url},
            {"content_type", page.content_type},
            {"etag", page.etag},
            {"last_modified", page.last_modified},
            {"fetched", page.fetched},
            {"sha256", sha256_hex(page.body)}};
}

std::string dump(const Json& head) { return json_text(head, 2) + "\n"; }

}  // namespace

fs::path PageCache::stem(const std::string& url) const { return folder_ / sha256_hex(url).substr(0, 32); }

std::optional<CachedPage> PageCache::find(const std::string& url) const {
    const std::string name = stem(url).string();
    std::error_code error;
    if (!fs::exists(name + ".json", error) || !fs::exists(name + ".body", error)) return std::nullopt;
    try {
        const Json head = parse_json(read_file(name + ".json", std::size_t(1) << 20), name + ".json");
        const auto text = [&](const char* key) { return head.value(key, std::string()); };
        CachedPage page{text("url"),
                        text("final_url"),
                        text("content_type"),
                        text("etag"),
                        text("last_modified"),
                        head.value("fetched", std::int64_t(0)),
                        read_file(name + ".body", std::size_t(64) << 20)};
        if (page.url != url || sha256_hex(page.body) != text("sha256")) return std::nullopt;
        return page;
    } catch (const Error&) {
        return std::nullopt;
    } catch (const Json::exception&) {  // a field of another type
        return std::nullopt;
    }
}

// The body first: a head whose body is another one's is damaged, and the page is fetched again.
void PageCache::save(const CachedPage& page) const {
    fs::create_directories(folder_);
    const std::string name = stem(page.url).string();
    write_durable(name + ".body", page.body);
    write_durable(name + ".json", dump(head_of(page)));
}

void PageCache::touch(const CachedPage& page) const { write_durable(stem(page.url).string() + ".json", dump(head_of(page))); }

void PageCache::remove(const std::string& url) const {
    const std::string name = stem(url).string();
    std::error_code error;
    fs::remove(name + ".json", error);
    fs::remove(name + ".body", error);
}

}  // namespace temper
