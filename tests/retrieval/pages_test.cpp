// Pages from a server of the test's own: robots.txt, redirects, what is asked again and what is kept.
#include <atomic>
#include <chrono>
#include <ctime>
#include <fstream>
#include <map>
#include <mutex>

#include <gtest/gtest.h>

#include "io/http/url.h"
#include "kernels/error.h"
#include "retrieval/document_source.h"
#include "retrieval/page_cache.h"
#include "retrieval/robots.h"
#include "tests/io/loopback_server.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

TEST(Robots, GroupsAndTheLongestRule) {
    const std::string text =
        "# comment\nUser-agent: other\nUser-Agent: Temper/2.0\nDisallow: /private # x\nAllow: /private/open\nCrawl-delay: 2.5\n\n"
        "Sitemap: http://x\nUser-agent: *\nDisallow: /\n";
    const Robots own(text, "temper/1.0 (+http://example.org)"), any(text, "someone");
    EXPECT_TRUE(own.allows("/"));
    EXPECT_FALSE(own.allows("/private/a"));
    EXPECT_TRUE(own.allows("/private/open/a"));
    EXPECT_EQ(own.crawl_delay(), 2.5);
    EXPECT_FALSE(any.allows("/a"));
    EXPECT_TRUE(any.allows("/robots.txt"));
    EXPECT_FALSE(any.crawl_delay());
    EXPECT_TRUE(Robots("", "temper").allows("/a"));
    EXPECT_TRUE(Robots("Disallow: /\n", "temper").allows("/a"));  // of no group
    EXPECT_TRUE(Robots("User-agent: *\nDisallow:\n", "temper").allows("/a"));
    EXPECT_FALSE(Robots("\xef\xbb\xbfUser-agent: *\r\nDisallow: /a\r\n", "temper").allows("/ab"));
    EXPECT_FALSE(Robots("User-agent: *\rDisallow: /a", "temper").allows("/ab"));
    EXPECT_TRUE(Robots("User-agent: *\nDisallow: /a\nAllow: /a\n", "temper").allows("/a"));
    // Groups of one name are one group.
    const Robots twice("User-agent: temper\nDisallow: /a\nUser-agent: b\nDisallow: /c\nUser-agent: temper\nDisallow: /d\n", "temper");
    EXPECT_FALSE(twice.allows("/a"));
    EXPECT_TRUE(twice.allows("/c"));
    EXPECT_FALSE(twice.allows("/d"));
    EXPECT_FALSE(Robots("User-agent: *\nCrawl-delay: nan\n", "temper").crawl_delay());
}

TEST(Robots, PatternsAsTheRfcHasThem) {
    EXPECT_TRUE(matches_robots_rule("/fish", "/fish.html"));
    EXPECT_FALSE(matches_robots_rule("/fish", "/Fish.asp"));
    EXPECT_TRUE(matches_robots_rule("/*.php", "/folder/filename.php?parameters"));
    EXPECT_FALSE(matches_robots_rule("/*.php$", "/filename.php?parameters"));
    EXPECT_TRUE(matches_robots_rule("/*.php$", "/a.php.php"));
    EXPECT_TRUE(matches_robots_rule("/fish*.php", "/fishheads/catfish.php?parameters"));
    EXPECT_TRUE(matches_robots_rule("/a$", "/a"));
    EXPECT_FALSE(matches_robots_rule("/a$", "/ab"));
    EXPECT_FALSE(matches_robots_rule("/a*a$", "/a"));
    EXPECT_TRUE(matches_robots_rule("/%7Eann/caf\xc3\xa9", "/~ann/caf%C3%A9/x"));
    EXPECT_FALSE(matches_robots_rule("/a%2Fb", "/a/b"));
    EXPECT_TRUE(matches_robots_rule("*", "/x"));
}

TEST(Url, PartsAndReferences) {
    const auto url = parse_url("HTTP://user:secret@Example.org:80/a/../b?q=1#top");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->text, "http://example.org/b?q=1");
    EXPECT_EQ(parse_url("https://x.org:8443")->text, "https://x.org:8443/");
    for (const char* bad : {"ftp://x", "file:///etc/passwd", "", "http://", "no url", "javascript:alert(1)"}) EXPECT_FALSE(parse_url(bad)) << bad;
    EXPECT_EQ(resolve_url(*url, "c?d")->text, "http://example.org/c?d");
    EXPECT_EQ(resolve_url(*url, "//other.org/x")->text, "http://other.org/x");
    EXPECT_FALSE(resolve_url(*url, "file:///etc/passwd"));
}

class Pages : public ::testing::Test {
  protected:
    using Server = testing::LoopbackServer;
    Pages() : server_([this](const Server::Request& request) { return answer(request); }) {
        config_.fetch.seconds_between = 0;
        config_.fetch.attempts = 1;
        source_.path = (temporary_.path() / "list.urls").string();
    }
    std::string answer(const Server::Request& request) {
        const std::lock_guard<std::mutex> lock(mutex_);
        asked_.push_back(request.target);
        heads_[request.target] = request.head;
        const auto found = answers_.find(request.target);
        return found == answers_.end() ? Server::answer(404, "none") : found->second;
    }
    std::vector<Document> read(const std::vector<std::string>& targets) {
        std::ofstream list(source_.path);
        list << "# pages\n\n";
        for (const std::string& target : targets) list << (target[0] == '/' ? server_.url(target) : target) << "\n";
        list.close();
        asked_.clear();
        const auto source = open_pages(source_, config_, temporary_.path() / "pages", [] { return false; });
        std::vector<Document> documents;
        for (Document document; source->next(document);) documents.push_back(document);
        passed_over_ = source->passed_over();
        return documents;
    }

    TemporaryDirectory temporary_;
    FeaturesConfig config_;
    FeatureSource source_;
    std::mutex mutex_;
    std::map<std::string, std::string> answers_, heads_;
    std::vector<std::string> asked_;
    std::map<std::string, std::int64_t> passed_over_;
    Server server_;
};

TEST_F(Pages, ContentGoesByTheServersWord) {
    answers_["/a.html"] =
        Server::answer(200, "<p>caf\xe9", "Content-Type: text/html; charset=ISO-8859-1\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n");
    answers_["/b"] = Server::answer(200, "# B", "Content-Type: text/markdown\r\n");
    answers_["/c"] = Server::answer(200, "GIF", "Content-Type: image/gif\r\n");
    const auto documents = read({"/a.html", "/b", "/c", "/missing", "/b", "ftp://x/y"});
    ASSERT_EQ(documents.size(), 2u);
    EXPECT_EQ(documents[0].id, server_.url("/a.html"));
    EXPECT_EQ(documents[0].form, TextForm::html);
    EXPECT_NE(documents[0].text.find("café"), std::string::npos);
    EXPECT_EQ(documents[0].metadata["url"], server_.url("/a.html"));
    EXPECT_EQ(documents[0].metadata["last_modified"], "2024-01-01T00:00:00Z");
    EXPECT_EQ(documents[1].form, TextForm::markdown);
    EXPECT_EQ(passed_over_, (std::map<std::string, std::int64_t>{{"cannot be fetched", 1}, {"content of type image/gif", 1}, {"status 404", 1}}));
}

TEST_F(Pages, RobotsAreAskedOnceAndRespected) {
    answers_["/robots.txt"] = Server::answer(200, "User-agent: *\nDisallow: /private\n");
    answers_["/private"] = answers_["/open"] = answers_["/other"] = Server::answer(200, "text", "Content-Type: text/plain\r\n");
    answers_["/moved"] = Server::answer(302, "", "Location: /private\r\n");
    EXPECT_EQ(read({"/private", "/open", "/other", "/moved"}).size(), 2u);
    EXPECT_EQ(passed_over_["robots.txt"], 2);
    EXPECT_EQ(asked_, (std::vector<std::string>{"/robots.txt", "/open", "/other", "/moved"}));
    answers_["/robots.txt"] = Server::answer(503, "");
    EXPECT_EQ(read({"/open"}).size(), 1u);  // as it was
    EXPECT_EQ(read({"/new"}).size(), 0u);
    EXPECT_EQ(asked_, std::vector<std::string>{"/robots.txt"});
    config_.fetch.robots = false;
    EXPECT_EQ(read({"/private"}).size(), 1u);
    EXPECT_EQ(asked_, std::vector<std::string>{"/private"});
}

TEST_F(Pages, WhatDidNotChangeIsNotLoadedAgain) {
    answers_["/a"] = Server::answer(200, "one", "Content-Type: text/plain\r\nETag: \"v1\"\r\n");
    EXPECT_EQ(read({"/a"})[0].text, "\xef\xbb\xbfone");
    answers_["/a"] = "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n";
    EXPECT_EQ(read({"/a"})[0].text, "\xef\xbb\xbfone");
    EXPECT_NE(heads_["/a"].find("If-None-Match: \"v1\""), std::string::npos);
    config_.fetch.fresh_seconds = 3600;
    EXPECT_EQ(read({"/a"}).size(), 1u);
    EXPECT_TRUE(asked_.empty());
    config_.fetch.fresh_seconds = 0;
    answers_["/a"] = Server::answer(500, "broken");
    EXPECT_EQ(read({"/a"})[0].text, "\xef\xbb\xbfone");  // a server in trouble loses no document
    answers_["/a"] = Server::answer(410, "gone");
    EXPECT_TRUE(read({"/a"}).empty());
    answers_["/a"] = Server::answer(500, "broken");
    EXPECT_TRUE(read({"/a"}).empty());
}

TEST_F(Pages, RedirectsAndSizeAreBounded) {
    answers_["/1"] = Server::answer(301, "", "Location: /2\r\n");
    answers_["/2"] = Server::answer(200, "two", "Content-Type: text/plain\r\n");
    answers_["/loop"] = Server::answer(307, "", "Location: /loop\r\n");
    answers_["/file"] = Server::answer(302, "", "Location: file:///etc/passwd\r\n");
    answers_["/large"] = Server::answer(200, std::string(5000, 'x'), "Content-Type: text/plain\r\n");
    config_.cleaning.max_file_bytes = 4000;
    const auto documents = read({"/1", "/loop", "/file", "/large"});
    ASSERT_EQ(documents.size(), 1u);
    EXPECT_EQ(documents[0].id, server_.url("/1"));
    EXPECT_EQ(documents[0].metadata["url"], server_.url("/2"));
    EXPECT_EQ(passed_over_["cannot be fetched"], 3);
}

TEST_F(Pages, RequestsToAHostKeepTheirDistance) {
    answers_["/a"] = answers_["/b"] = Server::answer(200, "x", "Content-Type: text/plain\r\n");
    config_.fetch.seconds_between = 0.2;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(read({"/a", "/b"}).size(), 2u);  // and robots.txt
    EXPECT_GE(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 0.4);
}

TEST_F(Pages, RepeatedRequestsKeepTheirDistanceToo) {
    config_.fetch.robots = false;
    config_.fetch.attempts = 2;
    config_.fetch.seconds_between = 1.5;
    answers_["/a"] = Server::answer(503, "busy");
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(read({"/a"}).empty());
    EXPECT_EQ(asked_.size(), 2u);
    EXPECT_GE(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 1.5);  // the wait of a repetition may be half as long
}

TEST_F(Pages, RobotsMayStandElsewhereAndKeepTheirDistanceThere) {
    answers_["/robots.txt"] = Server::answer(301, "", "Location: /robots/here\r\n");
    answers_["/robots/here"] = Server::answer(200, "User-agent: *\nDisallow: /private\n");
    answers_["/private"] = answers_["/open"] = Server::answer(200, "x", "Content-Type: text/plain\r\n");
    config_.fetch.seconds_between = 0.2;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(read({"/private", "/open"}).size(), 1u);
    EXPECT_GE(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 0.4);
    EXPECT_EQ(asked_, (std::vector<std::string>{"/robots.txt", "/robots/here", "/open"}));
    answers_["/robots.txt"] = Server::answer(301, "", "Location: /robots.txt\r\n");
    EXPECT_TRUE(read({"/private"}).empty());
    EXPECT_EQ(asked_.size(), 6u);
    answers_["/robots.txt"] = Server::answer(302, "", "Location: file:///etc/passwd\r\n");
    EXPECT_TRUE(read({"/private"}).empty());
}

TEST_F(Pages, RedirectsLeadInsideOnlyWhereTheListDoes) {
    const Server inside([](const Server::Request&) { return Server::answer(200, "secret", "Content-Type: text/plain\r\n"); });
    const std::string port = inside.url().substr(inside.url().rfind(':'));  // of 127.0.0.1, which the list names as the host of its pages
    answers_["/named"] = Server::answer(302, "", "Location: http://127.0.0.1" + port + "\r\n");
    answers_["/other"] = Server::answer(302, "", "Location: http://localhost" + port + "\r\n");
    answers_["/number"] = Server::answer(302, "", "Location: http://0x7f.0.0.2" + port + "\r\n");
    for (const bool robots : {true, false}) {
        config_.fetch.robots = robots;
        EXPECT_TRUE(read({"/other", "/number"}).empty());
        EXPECT_EQ(passed_over_["cannot be fetched"], 2);
        EXPECT_EQ(inside.requests(), 0);
    }
    EXPECT_EQ(read({"/named"}).size(), 1u);
    EXPECT_EQ(inside.requests(), 1);
    config_.fetch.robots = true;
    answers_["/robots.txt"] = answers_["/other"];
    EXPECT_TRUE(read({"/a"}).empty());
    EXPECT_EQ(inside.requests(), 1);
    EXPECT_EQ(asked_, std::vector<std::string>{"/robots.txt"});
}

TEST_F(Pages, APageOfAClockThatWasAheadIsNotFresh) {
    answers_["/a"] = Server::answer(200, "new", "Content-Type: text/plain\r\n");
    config_.fetch.fresh_seconds = 3600;
    const std::int64_t ahead = static_cast<std::int64_t>(std::time(nullptr)) + 100000;
    PageCache(temporary_.path() / "pages").save({server_.url("/a"), server_.url("/a"), "text/plain", "", "", ahead, "old"});
    EXPECT_EQ(read({"/a"})[0].text, "\xef\xbb\xbfnew");
    EXPECT_EQ(read({"/a"}).size(), 1u);
    EXPECT_TRUE(asked_.empty());
}

TEST(PageCache, ADamagedPageIsNone) {
    TemporaryDirectory temporary;
    const PageCache cache(temporary.path());
    EXPECT_FALSE(cache.find("http://x"));
    cache.save({"http://x", "http://y", "text/html", "e", "l", 5, "body"});
    ASSERT_TRUE(cache.find("http://x"));
    EXPECT_EQ(cache.find("http://x")->final_url, "http://y");
    EXPECT_EQ(cache.find("http://x")->fetched, 5);
    std::ofstream(cache.body("http://x")) << "other";
    EXPECT_FALSE(cache.find("http://x"));
}

}  // namespace
}  // namespace temper
