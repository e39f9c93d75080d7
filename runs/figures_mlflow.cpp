// Figures of an MLflow run: from a server's REST interface, or from the folder that MLflow's file store is.
#include <algorithm>
#include <cstdlib>

#include "io/durable.h"
#include "io/json_text.h"
#include "io/yaml.h"
#include "kernels/error.h"
#include "runs/figures.h"
#include "runs/python_json.h"
#include "runs/trackers/mlflow_client.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

// The store's statuses, by name in the REST interface and by number in its files.
std::string status_of(const std::string& text) {
    if (text == "FINISHED" || text == "3") return "finished";
    if (text == "RUNNING" || text == "1") return "running";
    if (text == "FAILED" || text == "4") return "failed";
    if (text == "KILLED" || text == "5") return "killed";
    return text.empty() ? "unknown" : text;
}

Figures read_from_server(const std::string& run_id, const std::string& uri) {
    MlflowClient client(uri);
    const auto answer = client.find(patience_of(120, 5), "runs/get?run_id=" + run_id);
    if (!answer) throw_error(ExitCode::missing_input, "{}: no MLflow run {} there; MLFLOW_TRACKING_URI names another server", shown_url(uri), run_id);
    const Json& run = mlflow_member(*answer, "run");
    const Json &info = member(run, "info"), &data = member(run, "data");
    Figures figures;
    figures.path = shown_url(client.url()) + "/#/runs/" + run_id;
    figures.sha256 = sha256_hex(data.dump());
    figures.run_id = run_id;
    figures.status = status_of(member_text(info, "status"));
    for (const Json& metric : member(data, "metrics"))
        if (const auto number = figure_of(member(metric, "value"))) figures.values[member_text(metric, "key")] = *number;
    return figures;
}

// Lines "time value step"; the last one is that of the greatest step, then time, then value, as MLflow has it.
double last_value(const fs::path& file) {
    const std::string text = read_file(file, std::size_t(1) << 30);
    double best[3] = {0, 0, 0};  // step, time, value
    bool found = false;
    int number = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string line = text.substr(begin, end - begin);
        begin = end + 1;
        ++number;
        if (line.find_first_not_of(" \r") == std::string::npos) continue;
        char* at = nullptr;
        const double time = std::strtod(line.c_str(), &at);
        const char* second = at;
        const double value = std::strtod(second, &at);
        const bool whole = at != second && second != line.c_str();
        const double step = std::strtod(at, nullptr);
        if (!whole)
            throw_error(ExitCode::bad_data, "{}:{}: found \"{}\", expected \"time value step\" as MLflow writes it", file.string(), number, line);
        const bool later = step != best[0] ? step > best[0] : time != best[1] ? time > best[1] : !(value <= best[2]);
        if (found && !later) continue;
        best[0] = step, best[1] = time, best[2] = value;
        found = true;
    }
    if (!found) throw_error(ExitCode::bad_data, "{}: no value in it, expected lines \"time value step\"", file.string());
    return best[2];
}

fs::path run_folder(const std::string& run_id, const fs::path& root) {
    std::error_code error;
    for (fs::directory_iterator entry(root, error), end; !error && entry != end; entry.increment(error))
        if (fs::is_regular_file(entry->path() / run_id / "meta.yaml")) return entry->path() / run_id;
    throw_error(ExitCode::missing_input, "{}: no MLflow run {} in it; MLFLOW_TRACKING_URI names another folder or a server", root.string(), run_id);
}

Figures read_from_folder(const std::string& run_id, const fs::path& root) {
    const fs::path folder = run_folder(run_id, root);
    Figures figures;
    figures.path = fs::absolute(folder).lexically_normal().string();
    figures.run_id = run_id;
    const YamlNode meta = parse_yaml(read_file(folder / "meta.yaml", std::size_t(1) << 20), (folder / "meta.yaml").string());
    const YamlNode* status = meta.find("status");
    figures.status = status_of(status != nullptr ? status->text : "");
    std::string hashes;
    if (fs::is_directory(folder / "metrics"))
        for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder / "metrics"))
            if (entry.is_regular_file()) figures.values[entry.path().lexically_relative(folder / "metrics").string()] = last_value(entry.path());
    for (const auto& [name, value] : figures.values) hashes += fmt::format("{} {}\n", name, sha256_file(folder / "metrics" / name));
    figures.sha256 = sha256_hex(hashes);
    return figures;
}

}  // namespace

Figures read_mlflow_figures(const std::string& run_id, const std::string& tracking_uri) {
    if (run_id.empty() || run_id.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz-") != std::string::npos)
        throw_error(ExitCode::usage, "mlflow:{}: expected mlflow: and a run's id, as in mlflow:8f0c1f6e2a9d4b0f8f2d6d1a5b3c7e90", run_id);
    const bool server = tracking_uri.starts_with("http://") || tracking_uri.starts_with("https://");
    const std::string folder = tracking_uri.starts_with("file://") ? tracking_uri.substr(7) : tracking_uri;
    if (!server && folder.find("://") != std::string::npos)
        throw_error(ExitCode::usage, "MLFLOW_TRACKING_URI: found {}, expected http://, https:// or a folder of runs; start mlflow server over it",
                    folder.substr(0, folder.find("://") + 3));
    Figures figures = server ? read_from_server(run_id, tracking_uri) : read_from_folder(run_id, folder);
    figures.source = "mlflow";
    return figures;
}

}  // namespace temper
