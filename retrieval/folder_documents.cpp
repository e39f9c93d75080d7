// The files of a folder, in the order of their paths.
#include <algorithm>
#include <filesystem>
#include <set>

#include "io/durable.h"
#include "io/jsonl.h"
#include "io/log.h"
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

// A file's name may be any bytes, an id is text: bytes that are no UTF-8 are written as %FF, so that two names are never one id.
std::string readable_name(std::string_view name) {
    std::string text;
    while (!name.empty()) {
        const std::size_t valid = std::min(find_invalid_utf8(name), name.size());
        text += name.substr(0, valid);
        if (valid < name.size()) text += fmt::format("%{:02X}", static_cast<unsigned char>(name[valid]));
        name.remove_prefix(std::min(valid + 1, name.size()));
    }
    return text;
}

// A folder, or something in it, whose documents nobody can tell: thrown when it is its turn.
struct Unlisted {
    std::string relative;  // the folder from the root
    Error error;
};

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
            if (!unlisted_.empty() && unlisted_.front().relative.empty()) throw Error(unlisted_.front().error);
            std::sort(files_.begin(), files_.end());
            if (files_.empty() && left_out_ > 0)
                log_warning("{}: include takes none of the {} files: its patterns are those of .gitignore, from the folder on", source.path,
                            left_out_);
        } else {
            single_ = true;
            files_.push_back(root_.filename().string());
            root_ = root_.parent_path();
        }
    }

    bool next(Document& document) override {
        if (!unlisted_.empty()) {
            const Unlisted first = std::move(unlisted_.back());
            unlisted_.pop_back();
            document.id = id_of(first.relative) + "/";
            document.place = (root_ / first.relative).string();
            throw first.error;
        }
        while (at_ < files_.size()) {
            const std::string relative = files_[at_++];
            if (read(relative, document)) return true;
        }
        return false;
    }

  private:
    // A folder that cannot be listed, or whose .gitignore cannot be read, is set aside: the others are taken.
    void enter(const std::string& relative, IgnorePatterns ignored) {
        std::vector<std::string> folders;
        const std::size_t before = files_.size();
        try {
            folders = list(relative, ignored);
        } catch (const Error& error) {
            files_.resize(before);
            unlisted_.push_back({relative, error});
        }
        for (const std::string& path : folders) enter(path, ignored);
    }

    // The folders in it that are entered. Symbolic links are not followed: what they lead to is not the folder's, or is met anyway.
    std::vector<std::string> list(const std::string& relative, IgnorePatterns& ignored) {
        const fs::path folder = relative.empty() ? root_ : root_ / relative;
        std::error_code error, unknown;
        fs::directory_iterator entries(folder, error);
        if (!error && fs::is_regular_file(folder / ".gitignore", unknown))
            ignored.add(read_file(folder / ".gitignore", std::size_t(1) << 20), relative);
        std::vector<std::string> folders;
        for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
            const fs::directory_entry& entry = *entries;
            const std::string name = entry.path().filename().string(), path = relative.empty() ? name : relative + "/" + name;
            if (entry.is_symlink(unknown)) {
                ++passed_over_["symbolic link"];
            } else if (entry.is_directory(unknown)) {
                if (never_entered.count(name) == 0 && !ignored.matches(path, true) && !exclude_.matches(path, true)) folders.push_back(path);
            } else if (entry.is_regular_file(unknown)) {
                if (name == ".gitignore" || ignored.matches(path, false) || exclude_.matches(path, false)) continue;
                if (include_.empty() || include_.matches_within(path)) files_.push_back(path);
                else ++left_out_;
            }
        }
        if (error) throw_error(ExitCode::io_error, "{}: cannot list the folder: {}", folder.string(), error.message());
        return folders;
    }

    std::string id_of(const std::string& relative) const {
        const fs::path path = single_ || relative.empty() ? fs::path(source_.path) : fs::path(source_.path) / relative;
        return readable_name(path.lexically_normal().generic_string());
    }

    bool read(const std::string& relative, Document& document) {
        const fs::path path = root_ / relative;
        FileKind kind = kind_of_name(relative);
        if (!kind.reason.empty()) return pass_over(kind.reason);
        std::error_code error;
        const auto size = fs::file_size(path, error);
        if (error == std::errc::no_such_file_or_directory) return pass_over("gone since it was listed");
        document = Document();
        document.id = id_of(relative);
        document.place = readable_name(path.string());
        if (error) throw_error(ExitCode::io_error, "{}: {}", document.place, error.message());
        const std::size_t most = static_cast<std::size_t>(cleaning_.max_file_bytes);
        if (!kind.pdf && size > most) return pass_over("larger than max_file_bytes");
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
        for (const auto& [name, value] : source_.metadata) document.metadata[name] = value;
        document.metadata["path"] = readable_name(relative);
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
    std::vector<Unlisted> unlisted_;
    std::int64_t left_out_ = 0;  // files, by include
    std::size_t at_ = 0;
    bool single_ = false;  // the source is one file
};

}  // namespace

std::unique_ptr<DocumentSource> open_folder(const FeatureSource& source, const CleaningConfig& cleaning) {
    return std::make_unique<FolderDocuments>(source, cleaning);
}

}  // namespace temper
