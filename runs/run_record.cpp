#include "runs/run_record.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <thread>

#include <unistd.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "runs/process_identity.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
    }
    return "unknown";
}

std::int64_t memory_bytes() { return std::int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE); }

// What the scheduler says of the job; empty outside one.
Json job_of_environment() {
    Json job = Json::object();
    const std::pair<const char*, const char*> names[] = {{"id", "SLURM_JOB_ID"},
                                                         {"name", "SLURM_JOB_NAME"},
                                                         {"nodes", "SLURM_JOB_NODELIST"},
                                                         {"partition", "SLURM_JOB_PARTITION"},
                                                         {"restart_count", "SLURM_RESTART_COUNT"}};
    for (const auto& [name, variable] : names) {
        if (const char* value = std::getenv(variable)) job[name] = value;
    }
    return job;
}

// The entry of a list whose member `name` is `value`, made when there is none.
Json& entry_of(Json& list, const char* name, const std::string& value) {
    for (Json& entry : list) {
        if (entry.value(name, std::string()) == value) return entry;
    }
    list.push_back(Json{{name, value}});
    return list.back();
}

}  // namespace

std::string run_status_name(RunStatus status) {
    switch (status) {
        case RunStatus::running: return "running";
        case RunStatus::finished: return "finished";
        case RunStatus::failed: return "failed";
        case RunStatus::preempted: return "preempted";
    }
    return "failed";
}

std::string utc_now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    const auto micro = std::chrono::duration_cast<std::chrono::microseconds>(now).count() % 1'000'000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    return fmt::format("{}.{:06}Z", text, micro);
}

RunRecord RunRecord::create(const fs::path& path, const std::string& run_id, const std::string& run_name, const std::string& config_hash) {
    const std::string now = utc_now();
    Json fields = {{"schema_version", 1},  {"run_id", run_id}, {"run_name", run_name}, {"parent", nullptr}, {"status", "running"},
                   {"exit_code", nullptr}, {"message", ""},    {"created_at", now},    {"updated_at", now}, {"finished_at", nullptr}};
    fields["command"] = Json::array();
    fields["config_hash"] = config_hash;
    for (const char* name : {"config", "environment"}) fields[name] = Json::object();
    fields["data"] = Json::array();
    for (const char* name : {"data_report", "tags", "metrics", "performance"}) fields[name] = Json::object();
    fields["artifacts"] = Json::array();
    return {path, std::move(fields)};
}

RunRecord RunRecord::open(const fs::path& path) {
    Json fields = parse_json(read_file(path, std::size_t(64) << 20), path.string(), {std::size_t(64) << 20, 64});
    if (!fields.is_object() || !fields.contains("run_id")) {
        throw_error(ExitCode::bad_data, "{}: no run_id in it, expected a run record", path.string());
    }
    if (const Json version = fields.value("schema_version", Json()); version != 1) {
        throw_error(ExitCode::bad_data, "{}: schema_version {}, expected 1; it was written by another version of temper", path.string(),
                    version.dump());
    }
    return {path, std::move(fields)};
}

std::string RunRecord::status() const { return fields_.value("status", std::string()); }

void RunRecord::set_status(RunStatus status, int exit_code, const std::string& message) {
    const bool ended = status != RunStatus::running;
    fields_["status"] = run_status_name(status);
    fields_["exit_code"] = ended ? Json(exit_code) : Json();
    fields_["message"] = message;
    fields_["finished_at"] = ended ? Json(utc_now()) : Json();
}

void RunRecord::set_parent(const std::string& run_id) { fields_["parent"] = run_id; }
void RunRecord::set_command(const std::vector<std::string>& arguments) { fields_["command"] = arguments; }

void RunRecord::set_config(const Json& resolved, const std::string& hash) {
    fields_["config"] = resolved;
    fields_["config_hash"] = hash;
}

void RunRecord::set_environment(const RunEnvironment& environment) {
    fields_["environment"] = {{"versions", environment.versions},
                              {"git", environment.git},
                              {"isa", environment.isa},
                              {"device", environment.device},
                              {"ranks", environment.ranks},
                              {"threads", environment.threads},
                              {"host", host_name()},
                              {"cpu", cpu_model()},
                              {"cores", std::thread::hardware_concurrency()},
                              {"memory_bytes", memory_bytes()},
                              {"job", job_of_environment()}};
}

void RunRecord::set_algorithms(const std::string& sha256) { fields_["environment"]["algorithms"] = sha256; }

void RunRecord::add_data(const std::string& role, const fs::path& path, const std::string& sha256, std::int64_t rows) {
    const Json known = rows >= 0 ? Json(rows) : Json();
    for (Json& entry : fields_["data"]) {
        if (entry.value("role", "") == role && entry.value("path", "") == path.string()) {
            entry["sha256"] = sha256;
            entry["rows"] = known;
            return;
        }
    }
    fields_["data"].push_back({{"role", role}, {"path", path.string()}, {"sha256", sha256}, {"rows", known}});
}

void RunRecord::set_data_report(const Json& report) { fields_["data_report"] = report; }
void RunRecord::set_tag(const std::string& name, const std::string& value) { fields_["tags"][name] = value; }
void RunRecord::set_metrics(const Json& final_metrics) { fields_["metrics"] = final_metrics; }

void RunRecord::set_performance(const RunPerformance& performance) {
    Json known = Json::object();
    const auto put = [&](const char* name, auto value) {
        if (value > 0) known[name] = value;
    };
    put("seconds", performance.seconds);
    put("tokens", performance.tokens);
    put("tokens_per_second", performance.tokens_per_second);
    put("flops_per_second", performance.flops_per_second);
    put("share_of_peak", performance.share_of_peak);
    put("peak_memory_bytes", performance.peak_memory_bytes);
    put("peak_device_memory_bytes", performance.peak_device_memory_bytes);
    put("cost", performance.cost);
    fields_["performance"] = known;
}

void RunRecord::add_artifact(const std::string& role, const fs::path& path) {
    const fs::path relative = path.lexically_normal().lexically_relative(path_.parent_path().lexically_normal());
    const bool inside = !relative.empty() && *relative.begin() != "..";
    Json& entry = entry_of(fields_["artifacts"], "path", (inside ? relative : path).string());
    entry["role"] = role;
    entry["sha256"] = sha256_file(path);
    entry["bytes"] = fs::file_size(path);
}

std::string RunRecord::text() const { return fields_.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

void RunRecord::save() const {
    Json stamped = fields_;
    stamped["updated_at"] = utc_now();
    write_durable(path_, stamped.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace temper
