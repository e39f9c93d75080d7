#include "runs/run_record.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <thread>

#include <unistd.h>

#include "io/durable.h"
#include "io/json_text.h"
#include "kernels/error.h"
#include "runs/attempt.h"
#include "runs/process_identity.h"
#include "runs/record_log.h"

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

int hosts_of_environment() {
    const char* value = std::getenv("SLURM_JOB_NUM_NODES");
    return value == nullptr ? 1 : std::max(1, std::atoi(value));
}

// The entry of a list whose member `name` is `value`, made when there is none.
Json& entry_of(Json& list, const char* name, const std::string& value) {
    for (Json& entry : list) {
        if (entry.value(name, std::string()) == value) return entry;
    }
    list.push_back(Json{{name, value}});
    return list.back();
}

// What every reader of records takes for granted; members that are missing are none of its business.
void check_types(const Json& fields, const fs::path& path) {
    const auto check = [&](std::initializer_list<const char*> names, Json::value_t type, const char* expected) {
        for (const char* name : names)
            if (const auto at = fields.find(name); at != fields.end() && at->type() != type)
                throw_error(ExitCode::bad_data, "{}: {}: found {}, expected {}", path.string(), name, at->type_name(), expected);
    };
    check({"run_id", "run_name", "kind", "status", "message", "created_at", "updated_at", "config_hash"}, Json::value_t::string, "a text");
    check({"config", "environment", "data_report", "tags", "params", "metrics", "performance", "cost"}, Json::value_t::object, "an object");
    check({"stages", "command", "data", "usage", "artifacts"}, Json::value_t::array, "a list");
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
    Json fields = {{"schema_version", 1}, {"run_id", run_id},      {"run_name", run_name}, {"kind", ""},    {"parent_run_id", nullptr},
                   {"parent", nullptr},   {"status", "running"},   {"exit_code", nullptr}, {"message", ""}, {"created_at", now},
                   {"updated_at", now},   {"finished_at", nullptr}};
    for (const char* name : {"stages", "command"}) fields[name] = Json::array();
    fields["config_hash"] = config_hash;
    for (const char* name : {"config", "environment"}) fields[name] = Json::object();
    fields["data"] = Json::array();
    for (const char* name : {"data_report", "tags", "params", "metrics", "performance"}) fields[name] = Json::object();
    fields["usage"] = Json::array();
    fields["cost"] = Json::object();
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
    check_types(fields, path);
    for (const char* name : {"tags", "params", "metrics", "performance", "environment"})  // one by an earlier temper lacks some
        if (!fields.contains(name)) fields[name] = Json::object();
    for (const char* name : {"stages", "data", "usage", "artifacts"})
        if (!fields.contains(name)) fields[name] = Json::array();
    return {path, std::move(fields)};
}

std::string RunRecord::status() const { return fields_.value("status", std::string()); }

void RunRecord::set_status(RunStatus status, int exit_code, const std::string& message) {
    const bool ended = status != RunStatus::running;
    end_stage(status);
    fields_["status"] = run_status_name(status);
    fields_["exit_code"] = ended ? Json(exit_code) : Json();
    fields_["message"] = message;
    fields_["finished_at"] = ended ? Json(utc_now()) : Json();
}

void RunRecord::set_kind(const std::string& command) { fields_["kind"] = command; }
void RunRecord::set_parent(const std::string& run_id) { fields_["parent"] = run_id; }
void RunRecord::set_parent_run(const std::string& run_id) { fields_["parent_run_id"] = run_id; }

void RunRecord::begin_stage(const std::string& name) {
    end_stage();
    fields_["stages"].push_back({{"name", name}, {"status", "running"}, {"started_at", utc_now()}, {"ended_at", nullptr}, {"seconds", nullptr}});
    stage_began_ = monotonic_seconds();
}

void RunRecord::end_stage(RunStatus status) {
    Json& stages = fields_["stages"];
    if (stages.empty() || stages.back().value("status", "") != "running") return;
    Json& stage = stages.back();
    const bool ours = stage_began_ >= 0;
    if (ours && status == RunStatus::running) return;  // the run says that it is running, and so is its stage
    stage["status"] = ours ? run_status_name(status) : "interrupted";
    if (!ours) return;
    stage["ended_at"] = utc_now();
    stage["seconds"] = monotonic_seconds() - stage_began_;
    stage_began_ = -1;
}

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
                              {"hosts", hosts_of_environment()},
                              {"cpu", cpu_model()},
                              {"cores", std::thread::hardware_concurrency()},
                              {"memory_bytes", memory_bytes()},
                              {"job", job_of_environment()}};
    if (!environment.device_name.empty()) fields_["environment"]["device_name"] = environment.device_name;
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
void RunRecord::set_param(const std::string& name, const Json& value) { fields_["params"][name] = value; }
void RunRecord::set_metrics(const Json& final_metrics) { fields_["metrics"] = final_metrics; }
void RunRecord::set_metric(const std::string& name, double value) { fields_["metrics"][name] = value; }

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
    for (const char* name : {"wall_seconds", "cpu_seconds", "device_seconds", "energy_joules"})
        if (const auto at = fields_["performance"].find(name); at != fields_["performance"].end()) known[name] = *at;
    fields_["performance"] = known;
}

void RunRecord::set_usage(const std::string& endpoint, const std::string& model, std::int64_t prompt_tokens, std::int64_t completion_tokens) {
    const Json use{{"endpoint", endpoint}, {"model", model}, {"prompt_tokens", prompt_tokens}, {"completion_tokens", completion_tokens}};
    for (Json& known : fields_["usage"])
        if (known.value("endpoint", "") == endpoint && known.value("model", "") == model) {
            known = use;
            return;
        }
    fields_["usage"].push_back(use);
}

void RunRecord::add_artifact(const std::string& role, const fs::path& path) {
    const fs::path relative = path.lexically_normal().lexically_relative(path_.parent_path().lexically_normal());
    const bool inside = !relative.empty() && *relative.begin() != "..";
    Json& entry = entry_of(fields_["artifacts"], "path", (inside ? relative : path).string());
    entry["role"] = role;
    entry["sha256"] = sha256_file(path);
    entry["bytes"] = fs::file_size(path);
}

std::string RunRecord::text() const { return json_text(fields_, 2) + "\n"; }

void RunRecord::save() {
    const RecordLock lock(path_.parent_path());
    write();
}

void RunRecord::fold_into(const fs::path& run) {
    const RecordLock lock(run);  // the owner saves before or after, never between our reading and writing
    open(run / "run.json").write();
}

void RunRecord::write() {
    fold_logged(fields_, path_.parent_path());
    fields_["updated_at"] = utc_now();
    write_durable(path_, text());
}

}  // namespace temper
