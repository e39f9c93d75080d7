#include "io/rows/row_source.h"

#include <algorithm>

#include "io/durable.h"
#include "io/rows/row_files.h"
#include "kernels/error.h"

namespace temper {
namespace {

enum class RowKind : std::uint8_t { jsonl, json, csv, tsv, arrow, parquet };

RowKind kind_of(const std::filesystem::path& path) {
    if (std::filesystem::is_directory(path)) return RowKind::arrow;
    const std::string extension = unpacked_name(path).extension().string();
    if (extension == ".json") return RowKind::json;
    if (extension == ".csv") return RowKind::csv;
    if (extension == ".tsv") return RowKind::tsv;
    if (extension == ".arrow") return RowKind::arrow;
    if (extension == ".parquet") return RowKind::parquet;
    return RowKind::jsonl;
}

[[noreturn]] void refuse_parquet(const std::string& path) {
    throw_error(ExitCode::usage,
                "{}: Parquet is not read; write it as JSONL once, where Python has pandas and pyarrow: python3 -c \"import pandas; "
                "pandas.read_parquet('{}').to_json('rows.jsonl', orient='records', lines=True, force_ascii=False)\", or with datasets: "
                "load_dataset('parquet', data_files=...) and save_to_disk(DIRECTORY)",
                path, path);
}

std::vector<std::string> listed_files(const std::filesystem::path& directory) {
    const std::filesystem::path state = directory / "state.json";
    const Json json = parse_json(read_file(state, std::size_t(1) << 26), state.string());
    if (!json.is_object() || !json.contains("_data_files") || !json["_data_files"].is_array())
        throw_error(ExitCode::bad_data, "{}: expected the list \"_data_files\", as datasets' save_to_disk writes it", state.string());
    std::vector<std::string> names;
    for (const Json& entry : json["_data_files"]) {
        const std::string name =
            entry.is_object() && entry.contains("filename") && entry["filename"].is_string() ? entry["filename"].get<std::string>() : "";
        if (name.empty() || name.find('/') != std::string::npos)
            throw_error(ExitCode::bad_data, "{}: _data_files: expected {{\"filename\": a name in this directory}}, found {}", state.string(),
                        entry.dump(-1, ' ', true));
        names.push_back(name);
    }
    return names;
}

}  // namespace

std::vector<std::filesystem::path> arrow_files(const std::filesystem::path& directory) {
    if (std::filesystem::exists(directory / "dataset_dict.json"))
        throw_error(ExitCode::missing_input, "{}: holds several splits; name one of them, as in {}", directory.string(),
                    (directory / "train").string());
    if (!std::filesystem::exists(directory / "state.json"))
        throw_error(ExitCode::missing_input, "{}: is a directory without state.json: expected a file, or what datasets' save_to_disk wrote",
                    directory.string());
    std::vector<std::filesystem::path> files;
    for (const std::string& name : listed_files(directory)) {
        files.push_back(directory / name);
        if (!std::filesystem::is_regular_file(files.back()))
            throw_error(ExitCode::missing_input, "{}: no such file, which state.json lists", files.back().string());
    }
    if (files.empty()) throw_error(ExitCode::bad_data, "{}: state.json lists no file", directory.string());
    return files;
}

std::unique_ptr<RowSource> open_rows(const std::filesystem::path& path, const JsonLimits& limits) {
    if (!std::filesystem::exists(path)) throw_error(ExitCode::missing_input, "{}: no such file", path.string());
    switch (kind_of(path)) {
        case RowKind::json: return open_json_array(path, limits);
        case RowKind::csv: return open_csv(path, ',', limits);
        case RowKind::tsv: return open_csv(path, '\t', limits);
        case RowKind::arrow:
            if (unpacked_name(path) != path)
                throw_error(ExitCode::usage, "{}: a packed Arrow file is not read: unpack it, or give JSONL", path.string());
            return open_arrow(path, std::filesystem::is_directory(path) ? arrow_files(path) : std::vector{path}, limits);
        case RowKind::parquet: refuse_parquet(path.string());
        case RowKind::jsonl: break;
    }
    return std::make_unique<JsonlReader>(path, limits);
}

std::string row_format(const std::filesystem::path& path) {
    std::string format = "JSONL";
    switch (kind_of(path)) {
        case RowKind::json: format = "JSON"; break;
        case RowKind::csv: format = "CSV"; break;
        case RowKind::tsv: format = "TSV"; break;
        case RowKind::arrow: format = "Arrow"; break;
        case RowKind::parquet: format = "Parquet"; break;
        case RowKind::jsonl: break;
    }
    if (unpacked_name(path) != path) format += path.extension() == ".gz" ? ", gzip" : ", zstd";
    return format;
}

std::string rows_sha256(const std::filesystem::path& path) {
    if (!std::filesystem::is_directory(path)) return sha256_file(path);
    std::string hashes;
    for (const std::filesystem::path& file : arrow_files(path)) hashes += sha256_file(file) + "\n";
    return sha256_hex(hashes);
}

}  // namespace temper
