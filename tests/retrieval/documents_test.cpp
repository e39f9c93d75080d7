// Sources of documents: rows, extended JSON, folders.
#include <fstream>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "retrieval/document_source.h"
#include "retrieval/extended_json.h"
#include "retrieval/file_kind.h"
#include "retrieval/html_marks.h"
#include "retrieval/ignore_patterns.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

Json flat(const std::string& text) {
    Json value = parse_json(text, "row");
    flatten_extended_json(value, "row");
    return value;
}

TEST(ExtendedJson, CanonicalAndRelaxed) {
    EXPECT_EQ(flat(R"({"_id": {"$oid": "507f1f77bcf86cd799439011"}, "n": {"$numberLong": "-42"}, "i": {"$numberInt": "7"}})"),
              (Json{{"_id", "507f1f77bcf86cd799439011"}, {"n", -42}, {"i", 7}}));
    EXPECT_EQ(flat(R"({"d": {"$date": {"$numberLong": "1700000000123"}}})")["d"], "2023-11-14T22:13:20.123Z");
    EXPECT_EQ(flat(R"({"d": {"$date": "2023-11-14T22:13:20Z"}})")["d"], "2023-11-14T22:13:20Z");
    EXPECT_EQ(flat(R"({"d": {"$date": -1}})")["d"], "1969-12-31T23:59:59.999Z");
    EXPECT_EQ(flat(R"([{"$numberDouble": "1.5"}, {"$numberDouble": "NaN"}, {"$numberDecimal": "2.25"}])"), (Json{1.5, nullptr, 2.25}));
    EXPECT_EQ(flat(R"({"u": {"$binary": {"base64": "ABEiM0RVZneImaq7zN3u/w==", "subType": "04"}}})")["u"], "00112233-4455-6677-8899-aabbccddeeff");
    EXPECT_EQ(flat(R"({"b": {"$binary": {"base64": "AQI=", "subType": "00"}}})")["b"], "AQI=");
    EXPECT_EQ(flat(R"({"t": {"$timestamp": {"t": 1, "i": 2}}})")["t"], "1970-01-01T00:00:01Z");
    EXPECT_EQ(flat(R"({"r": {"$regularExpression": {"pattern": "^a", "options": "i"}}})")["r"], "/^a/i");
    EXPECT_EQ(flat(R"({"m": {"$minKey": 1}, "deep": [{"x": {"$oid": "a"}}], "$other": 1})"),
              parse_json(R"({"m": null, "deep": [{"x": "a"}], "$other": 1})", "row"));
    EXPECT_EQ(flat("{}"), Json::object());
    for (const char* bad :
         {R"({"$oid": 1})", R"({"$numberLong": "1x"})", R"({"$date": {"$numberLong": "999999999999999999"}})", R"({"$numberDouble": "x"})",
          R"({"$binary": 1})", R"({"$timestamp": {"t": -1}})", R"({"$regularExpression": "a"})", R"({"$date": []})"})
        EXPECT_THROW(flat(bad), Error) << bad;
}

class Sources : public ::testing::Test {
  protected:
    void write(const std::string& name, const std::string& text) {
        const auto path = temporary_.path() / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }
    std::vector<Document> all(DocumentSource& source) {
        std::vector<Document> documents;
        for (Document document; source.next(document);) documents.push_back(document);
        passed_over_ = source.passed_over();
        return documents;
    }
    std::vector<Document> rows(const std::string& text, FeatureSource source = {}) {
        write("rows.jsonl", text);
        source.path = (temporary_.path() / "rows.jsonl").string();
        return all(*open_documents_of_rows(source));
    }
    std::vector<std::string> files(FeatureSource source = {}) {
        source.path = (temporary_.path() / "tree").string();
        std::vector<std::string> paths;
        for (const Document& document : all(*open_folder(source, {}))) paths.push_back(document.metadata["path"]);
        return paths;
    }
    TemporaryDirectory temporary_;
    std::map<std::string, std::int64_t> passed_over_;
};

TEST_F(Sources, RowsWithCategoriesAndMetadata) {
    FeatureSource source;
    source.metadata = {{"project", "temper"}};
    const auto documents = rows(R"({"id": 7, "text": "one", "category": "post", "author": "Ada", "metadata": {"date": "2024"}, "none": null}
{"_id": {"$oid": "abc"}, "content": {"Title": "T", "Content": "C"}, "url": "http://x"}
{"text": "no id"}
{"link": "u", "html": "<p>x</p>"})",
                                source);
    ASSERT_EQ(documents.size(), 4u);
    EXPECT_EQ(documents[0].id, "7");
    EXPECT_EQ(documents[0].category, "post");
    EXPECT_EQ(documents[0].metadata, (Json{{"project", "temper"}, {"author", "Ada"}, {"date", "2024"}}));
    EXPECT_EQ(documents[1].id, "abc");
    EXPECT_EQ(documents[1].category, "article");
    EXPECT_EQ(documents[1].text, "# Title\n\nT\n\n# Content\n\nC\n\n");
    EXPECT_EQ(documents[1].metadata["url"], "http://x");
    EXPECT_TRUE(documents[2].id.starts_with("sha256:"));
    EXPECT_EQ(documents[3].form, TextForm::html);
    EXPECT_EQ(documents[3].metadata["link"], "u");
}

TEST_F(Sources, WhatTheTextOfARowIs) {
    const auto form = [&](Json row, const FeatureSource& source = {}) { return form_name(rows(row.dump(), source).at(0).form); };
    for (const char* text :
         {"<!-- wp:paragraph -->\n<p>Hello</p>\n<!-- /wp:paragraph -->", "<h3>Title</h3>\nand text", "<ul><li>one<li>two</ul>",
          "<strong>Bold</strong> words", "Hello,<br/><br/>thanks a lot", "<!DOCTYPE html>\n# x", "<?xml version='1.0'?><html><body>",
          "<img src=x> shown", "<p>just this", "Q&amp;A, answered", "<p>a</p><script>\nif (a) {\n}\n# x\n- y\n- z\n</script>"})
        EXPECT_EQ(form({{"text", text}}), "html") << text;
    for (const char* text :
         {"# Title\n\nText", "<!-- toc -->\n# Title", "<T> is a type", "a < b and c > d", "Water is **H<sub>2</sub>O**.\n\n- More of it.",
          "Write `<br>` or\n```\n<p>x</p>\n```\n", "<p align=center>logo</p>\n\n# Tool\n\n- one\n- two\n\n[link](x)", "| a<br>b | c |\n| - | - |",
          "int* p = &sum;", "", "<!-- never closed"})
        EXPECT_EQ(form({{"text", text}}), "markdown") << text;
    EXPECT_EQ(rows(R"({"text": "One &amp; <b>two</b>\n\n <i>three</i>\nfour\n\n<h2>five</h2>\n\nsix"})")[0].text,
              "One &amp; <b>two</b>\n\n <p><i>three</i>\nfour\n\n<h2>five</h2>\n\n<p>six");
    EXPECT_EQ(rows(R"({"html": "<p>One</p>\n\ntwo"})")[0].text, "<p>One</p>\n\ntwo");
    const std::string lambda = "handlers[\"x\"](path);";
    EXPECT_EQ(form({{"text", lambda}}), "markdown");
    EXPECT_EQ(form({{"text", lambda}, {"path", "src/a.cpp"}}), "code");
    EXPECT_EQ(form({{"text", lambda}, {"filename", "Makefile"}}), "code");
    EXPECT_EQ(form({{"text", lambda}, {"id", "tool/src/a.cpp"}}), "code");
    EXPECT_EQ(form({{"text", lambda}, {"category", "repository"}}), "code");
    EXPECT_EQ(form({{"text", lambda}, {"category", "repository"}, {"path", "README.md"}}), "markdown");
    EXPECT_EQ(form({{"text", lambda}, {"path", "notes.txt"}}), "text");
    EXPECT_EQ(form({{"text", "extracted"}, {"path", "page.html"}, {"url", "http://x/page.php"}}), "markdown");
    EXPECT_EQ(form({{"markdown", "<b>x</b>"}}), "markdown");
    FeatureSource source;
    source.text_form = "code";
    EXPECT_EQ(form({{"html", "<p>x"}, {"path", "a.md"}}, source), "code");
    const auto parts = rows(R"({"content": {"Title": "T", "Content": "<p>One</p><p>Two</p>"}})");
    EXPECT_EQ(form_name(parts[0].form), "html");
    EXPECT_EQ(parts[0].text, "<h1>Title</h1>\nT\n\n<h1>Content</h1>\n<p>One</p><p>Two</p>\n\n");
}

TEST_F(Sources, LongTextsAreRecognisedInNoLongTime) {
    for (const char* mark : {"<", "`", "<!--", "<pre>", "&", "\n", "\n\nx", "<script", "</p", "```\n"}) {
        std::string text;
        while (text.size() < 2000000) text += mark;
        looks_like_html(text);
        with_paragraphs(text);
    }
}

TEST_F(Sources, AFailedRowKnowsItsPlace) {
    write("rows.jsonl", "{\"id\": \"a\", \"text\": 5}\n{\"id\": \n{\"id\": \"b\", \"text\": \"x\"}\n");
    FeatureSource source;
    source.path = (temporary_.path() / "rows.jsonl").string();
    const auto documents = open_documents_of_rows(source);
    Document document;
    EXPECT_THROW(documents->next(document), Error);
    EXPECT_EQ(document.id, "a");
    EXPECT_EQ(document.place, source.path + ":1");
    EXPECT_THROW(documents->next(document), Error);
    EXPECT_EQ(document.place, source.path + ":2");
    EXPECT_TRUE(documents->next(document));
    EXPECT_EQ(document.id, "b");
}

TEST_F(Sources, ATextAmongTheRowsOfAListIsPassedOver) {
    write("rows.json", R"(["a, [b] \"c", {"text": "one"}, [1, "]", {}], 7, {"text": "two"}])");
    FeatureSource source;
    source.path = (temporary_.path() / "rows.json").string();
    const auto documents = open_documents_of_rows(source);
    std::vector<std::string> seen;
    for (bool more = true; more;) {
        Document document;
        try {
            more = documents->next(document);
            if (more) seen.push_back(document.text);
        } catch (const Error&) {
            seen.emplace_back("failed");
        }
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"failed", "one", "failed", "failed", "two"}));
}

TEST_F(Sources, ARowOfFilesIsADocumentEach) {
    const auto documents =
        rows(R"({"_id": "r", "category": "repository", "content": {"src/a.py": "x = 1", "README.md": "# R", "yarn.lock": "z"}, "name": "n"})");
    ASSERT_EQ(documents.size(), 2u);
    EXPECT_EQ(documents[0].id, "r/src/a.py");
    EXPECT_EQ(documents[0].form, TextForm::code);
    EXPECT_EQ(documents[0].metadata, (Json{{"name", "n"}, {"path", "src/a.py"}}));
    EXPECT_EQ(documents[1].form, TextForm::markdown);
    EXPECT_EQ(passed_over_["lock file"], 1);
}

TEST_F(Sources, FieldsThatAreNamedMustBeThere) {
    FeatureSource source;
    source.text_field = "says";
    source.id_field = "key";
    source.metadata_fields = {"who"};
    const auto documents = rows(R"({"key": "a", "says": "x", "who": "w", "more": 1})", source);
    EXPECT_EQ(documents[0].metadata, (Json{
                                         {"who", "w"},
                                     }));
    EXPECT_THROW(rows(R"({"key": "a", "text": "x"})", source), Error);
    EXPECT_THROW(rows(R"({"title": "x"})"), Error);
    EXPECT_THROW(rows(R"({"text": 5})"), Error);
    EXPECT_THROW(rows(R"({"text": "x", "category": "../up"})"), Error);
}

TEST_F(Sources, FoldersHonourIgnoreFilesAndSkipWhatIsNoText) {
    write("tree/README.md", "# R");
    write("tree/src/main.cpp", "int main() {}");
    write("tree/src/gen/out.cpp", "x");
    write("tree/src/keep.log", "x");
    write("tree/src/drop.log", "x");
    write("tree/.gitignore", "*.log\n!keep.log\n/build/\ngen/\n");
    write("tree/src/.gitignore", "secret.*\n");
    write("tree/src/secret.txt", "x");
    write("tree/secret.txt", "y");
    write("tree/build/a.cpp", "x");
    write("tree/sub/build/a.cpp", "x");
    write("tree/.git/config", "x");
    write("tree/node_modules/m/index.js", "x");
    write("tree/package-lock.json", "{}");
    write("tree/lib.min.js", "x");
    write("tree/long.js", std::string(10000, 'x'));
    write("tree/image.txt", std::string("a\0b", 3));
    write("tree/page.html", "<p>x");
    std::filesystem::create_symlink("README.md", temporary_.path() / "tree/link.md");
    EXPECT_EQ(files(), (std::vector<std::string>{"README.md", "page.html", "secret.txt", "src/keep.log", "src/main.cpp", "sub/build/a.cpp"}));
    EXPECT_EQ(passed_over_, (std::map<std::string, std::int64_t>{{"lock file", 1}, {"minified", 2}, {"binary", 1}, {"symbolic link", 1}}));
    FeatureSource source;
    source.include = {"*.md", "src/**"};
    source.exclude = {"*.log"};
    EXPECT_EQ(files(source), (std::vector<std::string>{"README.md", "src/main.cpp"}));
    source.include = {"src/", "!src/keep.*"};
    source.exclude = {};
    EXPECT_EQ(files(source), (std::vector<std::string>{"src/main.cpp"}));
    source.include = {"sub"};
    EXPECT_EQ(files(source), (std::vector<std::string>{"sub/build/a.cpp"}));
    source.include = {"nothing/"};
    ::testing::internal::CaptureStderr();
    EXPECT_TRUE(files(source).empty());
    EXPECT_NE(::testing::internal::GetCapturedStderr().find("include takes none of the"), std::string::npos);
    source.path = "/nowhere/at/all";
    EXPECT_THROW(open_folder(source, {}), Error);
}

TEST_F(Sources, NamesThatAreNoUtf8StayApart) {
    write("tree/a\xff.txt", "x");
    write("tree/a\xfe.txt", "y");
    EXPECT_EQ(files(), (std::vector<std::string>{"a%FE.txt", "a%FF.txt"}));
}

TEST_F(Sources, OneFileIsItsOwnDocument) {
    write("note.txt", "hello");
    FeatureSource source;
    source.path = (temporary_.path() / "note.txt").string();
    const auto documents = all(*open_folder(source, {}));
    ASSERT_EQ(documents.size(), 1u);
    EXPECT_EQ(documents[0].id, source.path);
    EXPECT_EQ(documents[0].text, "hello");
}

TEST(IgnorePatterns, AsGitReadsThem) {
    const auto yes = [](const char* pattern, const char* path) { EXPECT_TRUE(matches_wildcard(pattern, path)) << pattern << " " << path; };
    const auto no = [](const char* pattern, const char* path) { EXPECT_FALSE(matches_wildcard(pattern, path)) << pattern << " " << path; };
    yes("*.c", "a.c");
    no("*.c", "a/b.c");
    yes("**/b.c", "b.c");
    yes("**/b.c", "x/y/b.c");
    yes("a/**", "a/b/c");
    no("a/**", "a");
    yes("a/**/b", "a/b");
    yes("a/**/b", "a/x/y/b");
    no("a/**/b", "a/xb");
    yes("a?[b-d]", "axc");
    no("a?[!b-d]", "axc");
    no("a?c", "a/c");
    yes("[]]", "]");
    yes("\\*", "*");
    no("\\*", "a");
    yes("[", "[");
    yes("a**b", "axxb");
    no("a**b", "a/b");
    std::string slow, path(2000, 'a');
    for (int i = 0; i < 200; ++i) slow += "*a";
    no((slow + "b").c_str(), path.c_str());
}

TEST(FileKind, ByNameAndContent) {
    EXPECT_EQ(kind_of_file("a/README", "text").form, TextForm::text);
    EXPECT_EQ(kind_of_file("Makefile", "all:").form, TextForm::code);
    EXPECT_EQ(kind_of_file("x.MD", "#").form, TextForm::markdown);
    EXPECT_TRUE(kind_of_name("a.pdf").pdf);
    EXPECT_EQ(kind_of_name("go.sum").reason, "lock file");
    EXPECT_EQ(kind_of_file("a.txt", std::string_view("\0", 1)).reason, "binary");
    EXPECT_EQ(kind_of_file("a.txt", std::string_view("\xff\xfe"
                                                     "a\0",
                                                     4))
                  .reason,
              "");
}

}  // namespace
}  // namespace temper
