#include "retrieval/pdf_text.h"

#include <fstream>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

// One page that shows a text; readers mend the missing table of objects.
void write_pdf(const std::filesystem::path& path, const std::string& text) {
    const std::string content = "BT /F1 24 Tf 72 700 Td (" + text + ") Tj ET";
    std::ofstream(path) << "%PDF-1.4\n1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj\n2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj\n"
                           "3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources <</Font <</F1 5 0 R>>>>>> endobj\n"
                        << "4 0 obj <</Length " << content.size() << ">> stream\n"
                        << content << "\nendstream endobj\n5 0 obj <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>> endobj\n"
                        << "trailer <</Root 1 0 R>>\n%%EOF\n";
}

TEST(PdfText, IsReadByPdftotextWithinItsLimits) {
    if (!has_pdf_reader()) GTEST_SKIP() << "pdftotext is not installed";
    TemporaryDirectory temporary;
    const auto path = temporary.path() / "-a b.pdf";
    write_pdf(path, "Hello from a page");
    EXPECT_NE(read_pdf(path, {}).find("Hello from a page"), std::string::npos);
    EXPECT_THROW(read_pdf(path, {60, 4}), Error);
    std::ofstream(path) << "no PDF";
    try {
        read_pdf(path, {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::bad_data);
        EXPECT_NE(std::string(error.what()).find("-a b.pdf"), std::string::npos);
    }
}

TEST(PdfText, WithoutTheProgramTheMessageNamesThePackage) {
    const std::string path = std::getenv("PATH") != nullptr ? std::getenv("PATH") : "";
    setenv("PATH", "/nowhere", 1);
    EXPECT_FALSE(has_pdf_reader());
    try {
        read_pdf("a.pdf", {});
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("poppler-utils"), std::string::npos);
    }
    setenv("PATH", path.c_str(), 1);
}

}  // namespace
}  // namespace temper
