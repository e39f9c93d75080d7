#include <gtest/gtest.h>

#include "kernels/error.h"
#include "retrieval/charset.h"
#include "retrieval/clean_html.h"
#include "retrieval/clean_markdown.h"
#include "retrieval/clean_text.h"

namespace temper {
namespace {

TEST(Clean, DecodesWhatIsNoUtf8) {
    EXPECT_EQ(decode_text("caf\xc3\xa9"), "café");
    EXPECT_EQ(decode_text("\xef\xbb\xbf"
                          "a"),
              "a");
    EXPECT_EQ(decode_text("caf\xe9 \x93quoted\x94"), "café “quoted”");
    EXPECT_EQ(decode_text("éèà \xff"), "éèà �");
    EXPECT_EQ(decode_text(std::string_view("\xff\xfe"
                                           "a\0\x3d\xd8\x00\xde",
                                           8)),
              "a😀");
    EXPECT_EQ(decode_text(std::string_view("\xfe\xff\0a\xd8\x00", 6)), "a�");
    EXPECT_EQ(decode_text(""), "");
}

TEST(Clean, CharactersOfProse) {
    EXPECT_EQ(clean_characters("a\r\nb\rc", TextForm::text), "a\nb\nc\n");
    EXPECT_EQ(clean_characters("e\xcc\x81", TextForm::text), "é\n");  // NFC
    EXPECT_EQ(clean_characters("a\u00a0\u2003 b\u200bc\u200f\u202e\ufeff\x07", TextForm::text), "a bc\n");
    EXPECT_EQ(clean_characters("👩\u200d👧", TextForm::text), "👩\u200d👧\n");
    EXPECT_EQ(clean_characters("\n\n a  \n\n\n\n b\n\n", TextForm::text), "a\n\nb\n");
    EXPECT_EQ(clean_characters(" \t\n", TextForm::text), "");
}

TEST(Clean, CodeKeepsItsIndentationAndSpaces) {
    EXPECT_EQ(clean_characters("if:\n\tx  =  1  \n\n\n\n\ny", TextForm::code), "if:\n\tx  =  1\n\n\ny\n");
    EXPECT_EQ(clean_characters("a\n\n    b   c\n```\n  x   y\n```\nd   e", TextForm::markdown), "a\n\n    b   c\n```\n  x   y\n```\nd e\n");
}

TEST(Clean, MarkdownWithoutFrontMatterCommentsAndTargets) {
    Json metadata = {{"title", "kept"}};
    EXPECT_EQ(strip_markdown("---\ntitle: T\nauthor: Ada\ntags: [a, b]\n---\nText", metadata), "Text");
    EXPECT_EQ(metadata, (Json{{"title", "kept"}, {"author", "Ada"}, {"tags", {"a", "b"}}}));
    EXPECT_EQ(strip_markdown("---\nno front matter", metadata), "---\nno front matter");
    EXPECT_EQ(strip_markdown("a <!-- x\ny --> b [c](http://d (e)) ![f](g.png) [h] \\[i](j)", metadata), "a  b c f [h] \\[i](j)");
    EXPECT_EQ(strip_markdown("[![badge](x.svg)](y) `[a](b)` <!-- open", metadata), "badge `[a](b)` <!-- open");
    EXPECT_EQ(strip_markdown("```\n[a](b)\n```\n[c](d)", metadata), "```\n[a](b)\n```\nc");
}

TEST(Clean, IndentedCodeOfMarkdownStays) {
    Json metadata;
    const auto strip = [&](const std::string& text) { return strip_markdown(text, metadata); };
    EXPECT_EQ(strip("Text\n\n    [](int a, int b) { x[i](j); }\n\n\t<!-- c --> [a](b)\n\n[c](d)"),
              "Text\n\n    [](int a, int b) { x[i](j); }\n\n\t<!-- c --> [a](b)\n\nc");
    EXPECT_EQ(strip("text\n    [a](b) goes on"), "text\n    a goes on");
    EXPECT_EQ(strip("- item\n\n    [a](b) is its second part\n\n      [c](d)\n\nText\n\n    [e](f)"),
              "- item\n\n    a is its second part\n\n      [c](d)\n\nText\n\n    [e](f)");
    EXPECT_EQ(strip("1. a\n    - b\n\n        [c](d)\n# Title\n\n    [e](f)"), "1. a\n    - b\n\n        c\n# Title\n\n    [e](f)");
    EXPECT_EQ(strip("`f` of [](int a) { return a; } and ![](x.png)"), "`f` of [](int a) { return a; } and ");
    EXPECT_EQ(clean_characters("- a   b\n\n    c   d\n\n      e   f\n", TextForm::markdown), "- a b\n\n    c d\n\n      e   f\n");
}

TEST(Clean, PicturesWrittenOutAndDefinitionsOfLinksGo) {
    Json metadata;
    const auto strip = [&](const std::string& text) { return strip_markdown(text, metadata); };
    const std::string picture = "data:image/png;base64," + std::string(200000, 'A');
    EXPECT_EQ(strip("a ![shown](" + picture + ") b\n[c](d)"), "a shown b\nc");
    EXPECT_EQ(strip("[![badge](" + picture + ")](http://x) b"), "badge b");
    EXPECT_EQ(strip("a ![cut](" + picture + "\nb"), "a ![cut](\nb");
    EXPECT_EQ(strip("<img src=\"" + picture + "\"> b"), "<img src=\"\"> b");
    EXPECT_EQ(strip("a [b][1]\n\n[1]: http://x/y \"Title\"\n[image1]: <" + picture + ">\n[2]: " + picture + "\nc"), "a [b][1]\n\nc");
    const std::string kept = "[Note]: important\n[^1]: see http://x/y\n[12:30]: hello there/here\n    ";
    EXPECT_EQ(strip(kept), kept);
    EXPECT_EQ(strip("```\n[1]: http://x/y\n```"), "```\n[1]: http://x/y\n```");
    const std::string prose = "(data: " + std::string(3000, 'x') + ")";
    EXPECT_EQ(strip(prose), prose);
}

TEST(Clean, LongMarkdownOfOpeningMarksTakesNoLongTime) {
    Json metadata;
    for (const char* mark : {"[", "`", "<!--", "![", "](", "~~~\n", "[a](data:,", "<data:,", "[a]: /b"}) {
        std::string text;
        while (text.size() < 2000000) text += mark;
        EXPECT_FALSE(strip_markdown(text, metadata).empty());
    }
}

std::string html(const std::string& text, Json* metadata = nullptr) {
    Json unused = Json::object();
    return html_to_markdown(text, metadata != nullptr ? *metadata : unused, "page");
}

TEST(CleanHtml, BlocksBecomeMarkdown) {
    EXPECT_EQ(html("<h1>A &amp; B</h1><p>One\n <b>two</b> three<br>four</p><ul><li>x<li>y<ol><li>z</ol></ul>"),
              "# A & B\n\nOne two three\nfour\n\n- x\n- y\n  1. z\n");
    EXPECT_EQ(html("<table><tr><th>a<th>b<tr><td>1<td>2</table>"), "a | b\n1 | 2\n");
    EXPECT_EQ(html("<p>x<pre>\n  a\n   b\n</pre>y"), "x\n\n```\n  a\n   b\n```\n\ny\n");
    EXPECT_EQ(html("a<h2></h2>b"), "a\n\nb\n");
    EXPECT_EQ(html("caf&eacute; &#x1F600; &bogus;"), "café 😀 &bogus;\n");
    EXPECT_EQ(html(""), "");
}

TEST(CleanHtml, BoilerplateGoesAndTheMainPartStays) {
    const std::string words(300, 'x');
    const std::string page = fmt::format(
        "<html lang=en><head><title> The  title </title><meta name=author content='Ada L.'><meta property='article:published_time' "
        "content='2024-01-02'>"
        "<style>p</style></head><body><nav>Menu</nav><header>Site</header><div class='post sidebar'>Side</div><main><script>var a</script><p>{}</p>"
        "<p hidden>secret</p><p style='display: none'>secret</p></main><footer>Imprint</footer></body></html>",
        words);
    Json metadata = Json::object();
    EXPECT_EQ(html(page, &metadata), words + "\n");
    EXPECT_EQ(metadata, (Json{{"language", "en"}, {"title", "The title"}, {"author", "Ada L."}, {"date", "2024-01-02"}}));
}

TEST(CleanHtml, FormsAndButtonsHoldText) {
    EXPECT_EQ(html("<form id=aspnetForm><input type=hidden value=x><h2><button aria-expanded=false>Question</button></h2><p>Answer</p>"
                   "<select><option>one</select><textarea>typed</textarea><button type=submit>Send</button></form>"),
              "## Question\n\nAnswer\n");
    EXPECT_EQ(
        html("<h1>Function f <button id=copy>Copy item path</button></h1><div>a <button aria-controls=x>More</button> b<button>Share</button></div>"),
        "# Function f\n\na More b\n");
    EXPECT_EQ(html("<div><button>Question</button> <button>An answer that is long enough to be something said</button></div>"),
              "Question An answer that is long enough to be something said\n");
    EXPECT_EQ(html("<body style='visibility:hidden' aria-hidden=true><p>Shown by a script</p><p hidden>Not this</p></body>"), "Shown by a script\n");
}

TEST(CleanHtml, ACellIsOneLineAndCodeKeepsItsLines) {
    EXPECT_EQ(html("<table><tr><th><p>a</p><th><div>b</div></tr>\n<tr><td><p>1</p>\n<p>2</p></td>\n<td><ul><li>x</li><li>y</li></ul>z<br>q</td></"
                   "tr></table>c"),
              "a | b\n1 2 | x y z q\n\nc\n");
    // What lays a page out keeps its parts.
    EXPECT_EQ(html("<table><tr><td>Menu</td><td><h1>Title</h1><p>One</p><p>Two</p></td></tr></table>"), "Menu |\n\n# Title\n\nOne\n\nTwo\n");
    EXPECT_EQ(html("<table><tr><td><p>One</p><p>Two</p></td></tr></table>"), "One\n\nTwo\n");
    EXPECT_EQ(html("<pre>a<br>  b<br/>c<div>d</div><div>e</div>f<script>x</script></pre>"), "```\na\n  b\nc\nd\ne\nf\n```\n");
}

TEST(CleanHtml, APageThatIsAllAroundItsContentIsReadWhole) {
    EXPECT_EQ(html("<body><nav><p>Only this</p></nav><script>x</script></body>"), "Only this\n");
    EXPECT_EQ(html("<main></main><p>elsewhere</p>"), "elsewhere\n");
}

TEST(CleanHtml, Encodings) {
    EXPECT_EQ(html("<meta charset=windows-1251><p>\xcf\xf0\xe8\xe2\xe5\xf2"), "Привет\n");
    EXPECT_EQ(html("<meta http-equiv=content-type content='text/html; charset=Shift_JIS'><p>\x93\xfa\x96\x7b"), "日本\n");
    EXPECT_EQ(html("<meta charset=utf-8><p>caf\xe9"), "café\n");
    EXPECT_EQ(html("<meta charset=iso-8859-1><p>café"), "café\n");
    EXPECT_EQ(html(std::string("<p>a\0b", 6)), "ab\n");
    EXPECT_EQ(charset_of("text/html; Charset=\"UTF-8\""), "utf-8");
    EXPECT_EQ(charset_of("charset charset"), "");
}

TEST(CleanHtml, WhatWouldTakeLongIsRefused) {
    std::string deep;
    for (int i = 0; i < 100000; ++i) deep += "<div>";
    EXPECT_THROW(html(deep), Error);
    std::string wide = "<a ";
    for (int i = 0; i < 100000; ++i) wide += "b" + std::to_string(i) + " ";
    EXPECT_THROW(html(wide + ">"), Error);
    // In scripts, styles and comments a '<' opens no tag.
    std::string code = "for(i=0;i<n;i++)";
    for (int i = 0; i < 10000; ++i) code += " a = 'b';";
    EXPECT_EQ(html("<script>" + code + "</script><p>text"), "text\n");
    EXPECT_EQ(html("<STYLE type=x>" + code + "</Style ><!-- " + code + " --><p>text"), "text\n");
    EXPECT_THROW(html("<script>x</script>" + wide + ">"), Error);
    EXPECT_THROW(html("<!-- x --!>" + wide + ">"), Error);
    EXPECT_THROW(html("<script/>" + wide + ">"), Error);
    EXPECT_THROW(html("<scripted>" + wide + ">"), Error);
    std::string nested;
    for (int i = 0; i < 500; ++i) nested += "<div>";
    EXPECT_EQ(html(nested + "text"), "text\n");
}

}  // namespace
}  // namespace temper
