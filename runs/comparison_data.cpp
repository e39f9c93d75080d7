#include <vector>

#include "io/json_text.h"
#include "io/rows/row_source.h"
#include "kernels/error.h"
#include "runs/comparison.h"
#include "runs/data_difference.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

// Why the rows of a file cannot be compared; empty where they can.
std::string unlike_record(const Json& entry) {
    const std::string path = member_text(entry, "path");
    if (!fs::exists(path)) return path + " is not there any more";
    if (rows_sha256(path) != member_text(entry, "sha256")) return path + " is not the file that was read any more";
    return "";
}

// Weights, an adapter's settings, vectors and stores are files without rows.
bool has_rows(const Json& entry) {
    if (member_text(entry, "role") == "adapter_config") return false;
    fs::path path = member_text(entry, "path");
    if (path.extension() == ".gz" || path.extension() == ".zst") path.replace_extension();
    for (const char* ending : {".jsonl", ".json", ".csv", ".tsv", ".arrow"})
        if (path.extension() == ending) return true;
    return fs::is_directory(path);
}

Json rows_of(const Json& a, const Json& b, const ComparisonOptions& options) {
    if (!has_rows(a) || !has_rows(b)) return Json::object();
    for (const Json* entry : {&a, &b})
        if (const std::string fault = unlike_record(*entry); !fault.empty()) return {{"note", fault}};
    try {
        Json difference = data_difference(member_text(a, "path"), member_text(b, "path"), options.examples);
        if (difference["added"] == 0 && difference["removed"] == 0 && difference["changed"] == 0)
            difference["note"] = "the same rows, written differently";
        return difference;
    } catch (const Error& error) {  // no file of rows
        return {{"note", error.what()}};
    }
}

std::vector<Json> entries_of(const Json& record) {
    std::vector<Json> entries;
    if (const auto at = record.find("data"); at != record.end() && at->is_array())
        for (const Json& entry : *at)
            if (entry.is_object()) entries.push_back(entry);
    return entries;
}

}  // namespace

// Files of the same content are left out; of the others, those of one role are paired by name, then in their order.
Json compare_data(const Json& record_a, const Json& record_b, const ComparisonOptions& options) {
    std::vector<Json> left = entries_of(record_a), right = entries_of(record_b);
    const auto take = [](std::vector<Json>& from, const auto& fits) -> Json {
        for (auto at = from.begin(); at != from.end(); ++at)
            if (fits(*at)) {
                Json found = *at;
                from.erase(at);
                return found;
            }
        return nullptr;
    };
    std::vector<Json> changed;
    for (const Json& entry : left)
        if (take(right, [&](const Json& other) {
                return member_text(other, "role") == member_text(entry, "role") && member_text(other, "sha256") == member_text(entry, "sha256");
            }).is_null())
            changed.push_back(entry);
    Json list = Json::array();
    for (const Json& entry : changed) {
        const std::string role = member_text(entry, "role"), name = fs::path(member_text(entry, "path")).filename().string();
        Json other =
            take(right, [&](const Json& one) { return member_text(one, "role") == role && fs::path(member_text(one, "path")).filename() == name; });
        if (other.is_null()) other = take(right, [&](const Json& one) { return member_text(one, "role") == role; });
        Json difference{
            {"role", role}, {"a", entry.value("path", Json())}, {"b", nullptr}, {"rows_a", entry.value("rows", Json())}, {"rows_b", nullptr}};
        if (!other.is_null()) {
            difference["b"] = other.value("path", Json());
            difference["rows_b"] = other.value("rows", Json());
            difference.update(rows_of(entry, other, options));
        }
        list.push_back(difference);
    }
    for (const Json& entry : right)
        list.push_back({{"role", member_text(entry, "role")},
                        {"a", nullptr},
                        {"b", entry.value("path", Json())},
                        {"rows_a", nullptr},
                        {"rows_b", entry.value("rows", Json())}});
    return list;
}

}  // namespace temper
