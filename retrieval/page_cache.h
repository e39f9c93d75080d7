// Pages as they were fetched, each with what its server said to ask about changes by.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace temper {

struct CachedPage {
    std::string url, final_url;  // asked for, and behind redirects
    std::string content_type, etag, last_modified;
    std::int64_t fetched = 0;  // seconds since 1970, when the server last said that it stands so
    std::string body;
};

class PageCache {
  public:
    explicit PageCache(std::filesystem::path folder) : folder_(std::move(folder)) {}
    // Nothing where there is none, or what lies there is damaged.
    std::optional<CachedPage> find(const std::string& url) const;
    void save(const CachedPage& page) const;
    void touch(const CachedPage& page) const;  // its body stands; what is said of it is written anew
    void remove(const std::string& url) const;
    std::filesystem::path body(const std::string& url) const { return stem(url).string() + ".body"; }

  private:
    std::filesystem::path stem(const std::string& url) const;
    std::filesystem::path folder_;
};

}  // namespace temper
