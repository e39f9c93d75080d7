// Pages from the web, one request at a time and one host at a time no faster than agreed, as its robots.txt allows. A redirect may not lead to this
// machine or into a private network, unless a URL of the list names the host: pages from outside would else show what is inside.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "io/http/http.h"
#include "io/http/url.h"
#include "retrieval/features_config.h"
#include "retrieval/page_cache.h"
#include "retrieval/robots.h"

namespace temper {

struct FetchOutcome {
    bool available = false;  // the page stands in the cache
    std::string reason;      // else: "robots.txt", "status 404", "no http or https URL", "too many redirects", or what failed
};

class PageFetcher {
  public:
    // `stop` ends a wait and a request.
    PageFetcher(const FetchConfig& config, std::size_t max_bytes, PageCache cache, std::function<bool()> stop);
    // Brings each page into the cache, or up to date there; hosts take turns. One outcome a URL; fewer when stop said so.
    // A page whose server fails keeps what the cache has of it.
    std::vector<FetchOutcome> fetch(const std::vector<std::string>& urls);

  private:
    struct Host {
        std::optional<Robots> robots;
        bool unreachable = false;  // its robots.txt: nothing may be asked for then
        double next = 0;           // when the next request may go out
    };
    FetchOutcome fetch_one(const std::string& url);
    FetchOutcome follow(const std::string& url, std::optional<CachedPage> cached);
    FetchOutcome keep(const HttpResponse& response, const Url& at, const std::string& url, std::optional<CachedPage> cached);
    Host& host_of(const Url& url);
    void ask_robots(const Url& url, Host& host);
    HttpResponse send(const Url& url, const std::optional<CachedPage>& cached);
    HttpResponse robots_file(const Url& url);
    void wait_for(Host& host);

    FetchConfig config_;
    std::size_t max_bytes_;
    PageCache cache_;
    std::function<bool()> stop_;
    HttpClient client_;
    std::map<std::string, Host> hosts_;  // by origin
    std::set<std::string> named_;        // hosts that the list names
};

}  // namespace temper
