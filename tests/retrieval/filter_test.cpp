#include "retrieval/filter.h"

#include <gtest/gtest.h>

#include "retrieval/iso_date.h"
#include "tests/support/expect_error.h"

namespace temper {
namespace {

bool keeps(const std::vector<std::string>& expressions, const Json& metadata) {
    return Filter(expressions).keeps({"doc#0", "doc", 0, "text", metadata}, "article");
}

TEST(Filter, EqualityAndAnyOf) {
    const Json metadata = {{"author", "ann"}, {"year", 2024}, {"draft", false}, {"tags", {"red", "green"}}, {"source", {{"site", "x.org"}}},
                           {"none", nullptr}};
    EXPECT_TRUE(keeps({}, metadata));
    for (const char* yes : {"author=ann",      "author==ann",          " author = ann ",        "author=bob|ann",
                            "author=\"ann\"",  "author=\"b|c\" | ann", "author!=bob",           "year=2024",
                            "year=2024.0",     "draft=false",          "draft!=true",           "tags=red",
                            "tags=blue|green", "tags!=blue",           "source.site=x.org",     "none=null",
                            "absent!=x",       "category=article",     "category=post|article", "id=doc#0",
                            "document=doc"})
        EXPECT_TRUE(keeps({yes}, metadata)) << yes;
    for (const char* no : {"author=Ann", "author=", "author=\"bob|ann\"", "author!=bob|ann", "year=2023", "year=x", "draft=0", "tags=blue",
                           "tags!=red", "source=x.org", "source.site.x=x.org", "absent=x", "category=post", "author.x=ann"})
        EXPECT_FALSE(keeps({no}, metadata)) << no;
    EXPECT_TRUE(keeps({"author=ann", "year=2024"}, metadata));
    EXPECT_FALSE(keeps({"author=ann", "year=2025"}, metadata));
    EXPECT_TRUE(keeps({"category=own"}, {{"category", "own"}}));  // the metadata's own name comes first
}

TEST(Filter, RangesOfNumbersAndDates) {
    const Json metadata = {{"year", 2024},        {"score", "3.5"},  {"date", "2024-05-17T23:30:00-02:00"},
                           {"day", "2024-05-17"}, {"text", "zebra"}, {"years", {1990, 2030}}};
    for (const char* yes :
         {"year>=2024", "year>2023.5", "year<2025", "year<=2024", "score<4", "score>=3.5", "day>=2024", "day<=2024", "day>2024-04", "day<2024-06",
          "day=2024-05", "day>=2024-05-17", "date>2024-05-18T01:00", "date<2024-05-18T02:00", "date=2024-05-18", "years>2000", "years<2000"})
        EXPECT_TRUE(keeps({yes}, metadata)) << yes;
    for (const char* no : {"year>2024", "year<2024", "score>10", "day>2024", "day<2024-05", "day>2024-05-17", "text>2000", "text<2000-01-01",
                           "absent>1", "year>2024-05-17", "date=2024-05-17", "years>2040"})
        EXPECT_FALSE(keeps({no}, metadata)) << no;
}

TEST(Filter, ExpressionsThatAreNone) {
    for (const char* bad : {"", "author", "=x", "author!x", "author=\"open", "author=\"a\"b", "year>abc", "year>", "year>1|2"})
        EXPECT_ERROR(Filter({bad}), ExitCode::usage, std::string("filter ") + bad);
}

TEST(Filter, RowsOfACollection) {
    Collection collection;
    collection.category = "post";
    for (int year : {2020, 2021, 2022}) collection.chunks.push_back({"", "", 0, "", {{"year", year}}});
    EXPECT_EQ(Filter({"year>=2021"}).rows(collection), (std::vector<std::uint8_t>{0, 1, 1}));
    EXPECT_EQ(Filter({"category=article"}).rows(collection), (std::vector<std::uint8_t>{0, 0, 0}));
}

TEST(IsoDate, WhatIsADate) {
    for (const char* yes : {"2024", "2024-05", "2024-05-17", "2024-05-17T10:20", "2024-05-17 10:20:30", "2024-05-17T10:20:30.123Z",
                            "2024-05-17T10:20:30+0200", "2024-05-17 10:20:30 +0200", "2024-05-17 10:20:30+02", "2024-05-17 10:20 Z", "0001-01-01"})
        EXPECT_TRUE(parse_iso_date(yes)) << yes;
    for (const char* no : {"", "24", "20240517", "2024-13", "2024-05-32", "2024-5-1", "2024-05-17T10", "2024-05-17x", "2024-", "2024-05-17T10:20+",
                           "2024-05-17 10:20 ", "2024-05-17 10:20  Z", "2024-05-17T10:20+02:", "2024-05-17T10:20+2", "x2024"})
        EXPECT_FALSE(parse_iso_date(no)) << no;
    EXPECT_EQ(parse_iso_date("2024-01-01T00:30:00+01:00")->parts, (std::array<std::int64_t, 6>{2023, 12, 31, 23, 30, 0}));
    EXPECT_EQ(parse_iso_date("2024-01-01 00:30:00 +01")->parts, (std::array<std::int64_t, 6>{2023, 12, 31, 23, 30, 0}));
    EXPECT_EQ(iso_of_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), "1994-11-06T08:49:37Z");
    for (const char* other : {"Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nob 1994 08:49:37 GMT", "Sun, 06 ovD 1994 08:49:37 GMT", ""})
        EXPECT_EQ(iso_of_http_date(other), other);
}

}  // namespace
}  // namespace temper
