#include "retrieval/file_kind.h"

#include <algorithm>
#include <set>

namespace temper {
namespace {

using Names = std::set<std::string, std::less<>>;

const Names markdown = {"md", "markdown", "mdx", "mdown", "mkd", "qmd", "rmd"};
const Names html = {"html", "htm", "xhtml"};
const Names prose = {"txt", "text", "rst", "adoc", "asciidoc", "org", "tex", "log", "srt", "vtt", ""};
const Names binary = {"png", "jpg", "jpeg", "gif",   "webp",        "bmp",  "ico",     "tif", "tiff", "mp3", "mp4",  "wav", "ogg",  "webm",   "mov",
                      "avi", "zip", "gz",   "tgz",   "bz2",         "xz",   "zst",     "7z",  "rar",  "tar", "jar",  "war", "so",   "dll",    "exe",
                      "o",   "a",   "pyc",  "class", "wasm",        "woff", "woff2",   "ttf", "otf",  "eot", "bin",  "dat", "db",   "sqlite", "h5",
                      "npy", "npz", "pt",   "onnx",  "safetensors", "gguf", "parquet", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt",    "svg"};
const Names code_endings = {"c",     "h",      "cc",     "cpp",    "cxx",  "hh",   "hpp",  "hxx",   "cu",  "cuh",  "m",          "mm",  "java",
                            "kt",    "kts",    "scala",  "groovy", "clj",  "go",   "rs",   "swift", "py",  "pyi",  "pyx",        "rb",  "php",
                            "pl",    "pm",     "lua",    "r",      "jl",   "js",   "mjs",  "cjs",   "jsx", "ts",   "tsx",        "vue", "svelte",
                            "css",   "scss",   "sass",   "less",   "sh",   "bash", "zsh",  "fish",  "ps1", "bat",  "cmd",        "sql", "graphql",
                            "proto", "thrift", "json",   "jsonc",  "yaml", "yml",  "toml", "ini",   "cfg", "conf", "properties", "xml", "xsl",
                            "cmake", "mk",     "gradle", "tf",     "hcl",  "nix",  "asm",  "s",     "f90", "f95",  "pas",        "vb",  "cs",
                            "fs",    "fsx",    "ml",     "mli",    "hs",   "elm",  "erl",  "ex",    "exs", "dart", "zig",        "nim", "v",
                            "sv",    "vhd",    "vhdl",   "tcl",    "el",   "lisp", "scm",  "sol",   "awk", "diff", "patch",      "j2",  "tmpl"};
const Names code_without_ending = {"makefile", "dockerfile", "jenkinsfile", "rakefile", "gemfile", "vagrantfile", "procfile", "justfile"};
const Names lock_files = {"package-lock.json",  "npm-shrinkwrap.json", "yarn.lock",   "pnpm-lock.yaml", "bun.lockb",
                          "cargo.lock",         "poetry.lock",         "pdm.lock",    "uv.lock",        "pipfile.lock",
                          "composer.lock",      "gemfile.lock",        "go.sum",      "flake.lock",     "mix.lock",
                          "packages.lock.json", "pubspec.lock",        "podfile.lock"};
const Names text_without_ending = {"readme",    "license", "licence", "copying", "authors", "contributors",
                                   "changelog", "changes", "news",    "notice",  "todo"};

std::string lower_name(std::string_view path) {
    std::string name(path.substr(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1));
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return name;
}

std::string ending_of(const std::string& lower_name) {
    const std::size_t point = lower_name.rfind('.');
    return point == std::string::npos || point == 0 ? "" : lower_name.substr(point + 1);
}

bool is_minified(std::string_view content) {
    if (content.size() < 4096) return false;
    const auto lines = static_cast<std::size_t>(std::count(content.begin(), content.end(), '\n')) + 1;
    return content.size() / lines > 400;
}

// Text has no NUL bytes, but for UTF-16 with its mark, and hardly any control characters.
bool is_binary(std::string_view content) {
    if (content.substr(0, 2) == "\xff\xfe" || content.substr(0, 2) == "\xfe\xff") return false;
    const std::string_view head = content.substr(0, 8192);
    std::size_t controls = 0;
    for (const char byte : head) {
        const auto code = static_cast<unsigned char>(byte);
        if (code == 0) return true;
        if (code < 0x20 && code != '\n' && code != '\r' && code != '\t' && code != '\f' && code != 0x1b) ++controls;
    }
    return controls * 20 > head.size();
}

}  // namespace

FileKind kind_of_name(std::string_view path) {
    const std::string name = lower_name(path);
    const std::string ending = ending_of(name);
    FileKind kind;
    if (lock_files.count(name) > 0) kind.reason = "lock file";
    else if (name.ends_with(".min.js") || name.ends_with(".min.css") || name.ends_with(".map") || name.ends_with(".min.mjs"))
        kind.reason = "minified";
    else if (binary.count(ending) > 0) kind.reason = "binary";
    else if (ending == "pdf") kind.pdf = true;
    else if (markdown.count(ending) > 0) kind.form = TextForm::markdown;
    else if (html.count(ending) > 0) kind.form = TextForm::html;
    else if (ending.empty()) kind.form = text_without_ending.count(name) > 0 ? TextForm::text : TextForm::code;
    else kind.form = prose.count(ending) > 0 ? TextForm::text : TextForm::code;
    return kind;
}

std::optional<TextForm> form_of_ending(std::string_view path) {
    const std::string name = lower_name(path), ending = ending_of(name);
    if (code_endings.count(ending) > 0 || code_without_ending.count(name) > 0) return TextForm::code;
    if (markdown.count(ending) > 0) return TextForm::markdown;
    if (html.count(ending) > 0) return TextForm::html;
    if (!ending.empty() && prose.count(ending) > 0) return TextForm::text;
    return std::nullopt;
}

FileKind kind_of_file(std::string_view path, std::string_view content) {
    FileKind kind = kind_of_name(path);
    if (!kind.reason.empty() || kind.pdf) return kind;
    if (is_binary(content)) kind.reason = "binary";
    else if (kind.form == TextForm::code && is_minified(content)) kind.reason = "minified";
    return kind;
}

}  // namespace temper
