// The text of PDF files by poppler's pdftotext, where it is installed: a program of its own, bounded in time and in what it writes.
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

namespace temper {

struct PdfLimits {
    double seconds = 60;
    std::size_t text_bytes = std::size_t(8) << 20;
};

bool has_pdf_reader();  // pdftotext stands on the PATH
// A page begins a paragraph. bad_data naming the file when pdftotext refuses it, takes too long or writes too much.
std::string read_pdf(const std::filesystem::path& path, const PdfLimits& limits);

}  // namespace temper
