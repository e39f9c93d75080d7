#include "runs/process_identity.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <signal.h>
#include <unistd.h>

#include "io/environment.h"
#include "kernels/error.h"

namespace temper {
namespace {

// State and start time of a process; false when there is none or /proc does not show it.
bool read_stat(std::int64_t pid, char& state, std::int64_t& start_ticks) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string text;
    if (!std::getline(file, text)) return false;
    const std::size_t end_of_name = text.rfind(')');  // the name may hold spaces and brackets
    if (end_of_name == std::string::npos) return false;
    std::istringstream fields(text.substr(end_of_name + 1));
    std::string skipped;
    fields >> state;
    for (int field = 4; field <= 21; ++field) fields >> skipped;
    return static_cast<bool>(fields >> start_ticks);
}

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
    char state = '?';
    read_stat(me.pid, state, me.start_ticks);
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
    if (pid <= 0) return false;
    char state = '?';
    std::int64_t ticks = 0;
    if (read_stat(pid, state, ticks)) return ticks == start_ticks && state != 'Z' && state != 'X';
    // Where /proc hides other users' processes, the number is all there is to go by.
    return kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM;
}

}  // namespace temper
