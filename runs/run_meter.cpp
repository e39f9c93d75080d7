#include "runs/run_meter.h"

#include <sys/resource.h>

#include "runs/attempt.h"

namespace temper {
namespace {

double seconds_of(const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6; }

// Of this process and of those it has started and waited for.
double cpu_seconds() {
    double seconds = 0;
    for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage use{};
        if (getrusage(who, &use) == 0) seconds += seconds_of(use.ru_utime) + seconds_of(use.ru_stime);
    }
    return seconds;
}

double known(const RunRecord& record, const char* name) {
    const Json& fields = record.fields();
    if (!fields.contains("performance") || !fields["performance"].is_object()) return 0;
    const auto at = fields["performance"].find(name);
    return at != fields["performance"].end() && at->is_number() ? at->get<double>() : 0;
}

}  // namespace

RunMeter::RunMeter(const RunRecord& record, const std::filesystem::path& price_table)
    : began_(monotonic_seconds()),
      cpu_began_(cpu_seconds()),
      wall_before_(known(record, "wall_seconds")),
      cpu_before_(known(record, "cpu_seconds")),
      device_before_(known(record, "device_seconds")),
      joules_before_(known(record, "energy_joules")) {
    if (!price_table.empty()) prices_ = PriceTable::load(price_table);
}

void RunMeter::add_to(RunRecord& record) {
    Json& performance = record.fields()["performance"];
    const double wall = monotonic_seconds() - began_;
    performance["wall_seconds"] = wall_before_ + wall;
    performance["cpu_seconds"] = cpu_before_ + cpu_seconds() - cpu_began_;
    const Json& environment = record.fields()["environment"];
    if (const std::string device = environment.value("device", ""); !device.empty() && device != "none")
        performance["device_seconds"] = device_before_ + wall * environment.value("ranks", 1);
    if (const auto joules = energy_.joules()) performance["energy_joules"] = joules_before_ + *joules;
    if (!prices_) return;
    const Json cost = prices_->cost_of(record.fields(), wall_before_ + wall);
    if (cost.empty()) return;
    record.fields()["cost"] = cost;
    performance["cost"] = cost.at("amount");
}

}  // namespace temper
