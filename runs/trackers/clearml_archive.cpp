#include "runs/trackers/clearml_archive.h"

#include <fstream>

#include "io/durable.h"
#include "io/json_text.h"
#include "kernels/error.h"
#include "runs/trackers/clearml_events.h"
#include "runs/trackers/zip_writer.h"

namespace temper {
namespace {

void give_file(const std::filesystem::path& path, const Sink& sink) {
    std::ifstream file(path, std::ios::binary);
    std::string piece(std::size_t(1) << 20, '\0');
    while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0)
        sink({piece.data(), static_cast<std::size_t>(file.gcount())});
    if (!file.eof()) throw_error(ExitCode::io_error, "{}: cannot read", path.string());
}

}  // namespace

std::string clearml_offline_id(const TrackedRun& run) { return "offline-" + sha256_hex("temper clearml " + run.id()).substr(0, 32); }

void write_clearml_archive(const Push& push, const std::filesystem::path& path) {
    const TrackedRun& run = push.run;
    const std::string id = clearml_offline_id(run), project = push.settings.clearml_project.value_or("temper");
    // The importer takes "<offline_folder>/data/" off an artifact's address and finds the file under data/ in the archive.
    const std::string folder = "/offline/" + id, data = project + "/" + run.name() + "." + id + "/artifacts/";
    Json artifacts = Json::array();
    std::vector<std::pair<std::string, std::filesystem::path>> files;
    if (push.settings.log_artifacts && run.finished()) {
        for (const TrackedRun::File& file : run.files()) {
            const std::string inside = data + file.name + "/" + file.path.filename().string();
            artifacts.push_back(clearml_artifact(run, file, folder + "/data/" + inside, file.sha256.empty() ? sha256_file(file.path) : file.sha256));
            files.emplace_back("data/" + inside, file.path);
        }
    }
    Json parameters = Json::object();
    for (const Json& parameter : clearml_parameters(run)) parameters[parameter["name"].get<std::string>()] = parameter;
    const Json git = run.record().value("environment", Json::object()).value("git", Json(""));
    const Json task{
        {"id", id},
        {"name", run.name()},
        {"project_name", project},
        {"type", clearml_type(run)},
        {"tags", clearml_tags(run)},
        {"comment", run.text("message")},
        {"offline_folder", folder},
        {"offline_output_models", Json::array()},
        {"output", Json::object()},
        {"hyperparams", {{"General", parameters}}},
        {"execution", {{"artifacts", artifacts}, {"parameters", Json::object()}, {"model_desc", Json::object()}, {"model_labels", Json::object()}}},
        {"script",
         {{"binary", "temper"},
          {"entry_point", "temper " + run.kind()},
          {"repository", ""},
          {"branch", ""},
          {"diff", ""},
          {"working_dir", "."},
          {"version_num", git},
          {"requirements", Json::object()}}}};
    const auto line = [](const Json& json) { return json_text(json) + "\n"; };
    write_durable(path, [&](const Sink& sink) {
        ZipWriter zip(sink);
        zip.add("task.json", line(task));
        zip.add("metrics.jsonl", [&](const Sink& out) {
            for (const MetricStream::Part part : {MetricStream::Part::computed, MetricStream::Part::measured}) {
                MetricStream stream(run.journal(), part, {});
                for (std::vector<Point> points;
                     !(points = stream.next(1000, std::numeric_limits<std::int64_t>::max(), push.times, run.time("updated_at"))).empty();)
                    out(line(clearml_events(points, id)));
            }
            out(line(clearml_single_values(run, id)));
        });
        const Json log{{"timestamp", run.time("updated_at")},
                       {"type", "log"},
                       {"task", id},
                       {"level", "info"},
                       {"worker", "temper"},
                       {"msg", fmt::format("run {} {} {}", run.id(), run.status(), run.text("message"))},
                       {"method", "get"}};
        zip.add("log.jsonl", line(Json::array({log})));
        for (const auto& [name, file] : files) zip.add(name, [&file = file](const Sink& out) { give_file(file, out); });
        zip.finish();
    });
}

}  // namespace temper
