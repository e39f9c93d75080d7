// The files of a folder, in the order of their paths.
#include <algorithm>
#include <filesystem>
#include <set>

#include "io/durable.h"
#include "io/log.h"
#include "io/unicode.h"
#include "kernels/error.h"
#include "retrieval/document_source.h"
#include "retrieval/file_kind.h"
#include "retrieval/ignore_patterns.h"
#include "retrieval/pdf_text.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

const std::set<std::string> never_entered = {".git",  ".hg",  ".svn",        "node_modules", "__pycache__",
                                             ".venv", ".tox", ".mypy_cache", ".idea",        ".vscode"};

class FolderDocuments final : public DocumentSource {
  public:
    FolderDocuments(const FeatureSource& source, const CleaningConfig& cleaning) : source_(source), cleaning_(cleaning), root_(source.path) {
        for (const std::string& pattern : source.include) include_.add(pattern, "");
        for (const std::string& pattern : source.exclude) exclude_.add(pattern, "");
        std::error_code error;
        const fs::file_status status = fs::status(root_, error);
        if (!fs::exists(status)) throw_error(ExitCode::missing_input, "{}: no such file or folder, which sources names", source.path);
        if (fs::is_directory(status)) {
            enter("", ignored_);
            std::sort(files_.begin(), files_.end());
        } else {
            single_ = true;
            files_.push_back(root_.filename().string());
            root_ = root_.parent_path();
        }
    }

    bool next(Document& document) override {
        while (at_ < files_.size()) {
            const std::string relative = files_[at_++];
            if (read(relative, document)) return true;
        }
        return false;
    }

  private:
    // Symbolic links are not followed: what they lead to is not the folder's, or is met anyway.
    void enter(const std::string& relative, IgnorePatterns ignored) {
        const fs::path folder = relative.empty() ? root_ : root_ / relative;
        std::error_code error;
        if (fs::is_regular_file(folder / ".gitignore", error)) ignored.add(read_file(folder / ".gitignore", std::size_t(1) << 20), relative);
        fs::directory_iterator entries(folder, error);
        if (error) throw_error(ExitCode::io_error, "{}: cannot list the folder: {}", folder.string(), error.message());
        std::vector<std::string> folders;
        for (const fs::directory_entry& entry : entries) {
            const std::string name = entry.path().filename().string(), path = relative.empty() ? name : relative + "/" + name;
            if (entry.is_symlink(error)) {
                ++passed_over_["symbolic link"];
            } else if (entry.is_directory(error)) {
                if (never_entered.count(name) == 0 && !ignored.matches(path, true) && !exclude_.matches(path, true)) folders.push_back(path);
            } else if (entry.is_regular_file(error)) {
                if (name == ".gitignore" || ignored.matches(path, false) || exclude_.matches(path, false)) continue;
                if (include_.empty() || include_.matches(path, false)) files_.push_back(path);
            }
        }
        for (const std::string& path : folders) enter(path, ignored);
    }

    bool read(const std::string& relative, Document& document) {
        const fs::path path = root_ / relative;
        FileKind kind = kind_of_name(relative);
        if (!kind.reason.empty()) return pass_over(kind.reason);
        std::error_code error;
        const auto size = fs::file_size(path, error);
        if (error) return pass_over("gone since it was listed");
        const std::size_t most = static_cast<std::size_t>(cleaning_.max_file_bytes);
        if (!kind.pdf && size > most) return pass_over("larger than max_file_bytes");
        document = Document();
        document.id =
            tok::replace_invalid_utf8((single_ ? fs::path(source_.path) : fs::path(source_.path) / relative).lexically_normal().generic_string());
        return fill(relative, path, kind, document);
    }

    bool fill(const std::string& relative, const fs::path& path, FileKind kind, Document& document) {
        if (kind.pdf) {
            if (!has_pdf_reader()) {
                if (passed_over_.count("PDF without pdftotext") == 0)
                    log_warning("{}: PDF files are passed over: pdftotext is not installed (Debian: poppler-utils)", path.string());
                return pass_over("PDF without pdftotext");
            }
            document.text = read_pdf(path, {static_cast<double>(cleaning_.pdf_seconds), static_cast<std::size_t>(cleaning_.max_file_bytes)});
        } else {
            document.text = read_file(path, std::size_t(64) << 20);
            kind = kind_of_file(relative, document.text);
            if (!kind.reason.empty()) return pass_over(kind.reason);
        }
        document.form = kind.form;
        document.category = source_.category;
        document.place = path.string();
        for (const auto& [name, value] : source_.metadata) document.metadata[name] = value;
        document.metadata["path"] = tok::replace_invalid_utf8(relative);
        return true;
    }

    bool pass_over(const std::string& reason) {
        ++passed_over_[reason];
        return false;
    }

    FeatureSource source_;
    CleaningConfig cleaning_;
    fs::path root_;
    IgnorePatterns ignored_, include_, exclude_;
    std::vector<std::string> files_;  // from the root, sorted
    std::size_t at_ = 0;
    bool single_ = false;  // the source is one file
};

}  // namespace

std::unique_ptr<DocumentSource> open_folder(const FeatureSource& source, const CleaningConfig& cleaning) {
    return std::make_unique<FolderDocuments>(source, cleaning);
}

}  // namespace temper
