#include "runs/process_identity.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "io/environment.h"
#include "io/process_state.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::string first_line(const char* path) {
    std::ifstream file(path);
    std::string text;
    std::getline(file, text);
    return text;
}

}  // namespace

std::string host_name() {
    char name[256] = "";
    return gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

ProcessIdentity ProcessIdentity::self() {
    ProcessIdentity me;
    me.host = host_name();
    me.boot_id = first_line("/proc/sys/kernel/random/boot_id");
    std::error_code ignored;
    me.pid_namespace = std::filesystem::read_symlink("/proc/self/ns/pid", ignored).string();
    me.pid = getpid();
    if (const auto found = process_state(me.pid)) me.start_ticks = found->start_ticks;
    me.job = environment_text("SLURM_JOB_ID");
    me.restart_count = std::atoll(environment_text("SLURM_RESTART_COUNT").c_str());
    return me;
}

ProcessIdentity ProcessIdentity::from_json(const Json& json) {
    const auto text = [&](const char* name) { return json.contains(name) && json[name].is_string() ? json[name].get<std::string>() : ""; };
    const auto number = [&](const char* name) { return json.contains(name) && json[name].is_number_integer() ? json[name].get<std::int64_t>() : 0; };
    ProcessIdentity one;
    one.host = text("host");
    one.boot_id = text("boot_id");
    one.pid_namespace = text("pid_namespace");
    one.pid = number("pid");
    one.start_ticks = number("start_ticks");
    one.job = text("job");
    one.restart_count = number("restart_count");
    return one;
}

Json ProcessIdentity::to_json() const {
    return {{"host", host},
            {"pid", pid},
            {"boot_id", boot_id},
            {"pid_namespace", pid_namespace},
            {"start_ticks", start_ticks},
            {"job", job},
            {"restart_count", restart_count}};
}

std::string ProcessIdentity::text() const { return fmt::format("process {} on {}{}", pid, host, job.empty() ? "" : fmt::format(" (job {})", job)); }

bool ProcessIdentity::same_machine(const ProcessIdentity& other) const {
    return !boot_id.empty() && host == other.host && boot_id == other.boot_id && pid_namespace == other.pid_namespace;
}

bool ProcessIdentity::alive() const {
    const auto found = process_state(pid);
    return process_lives(pid) && (!found || found->start_ticks == start_ticks);
}

}  // namespace temper
