#include "runs/energy_meter.h"

#include <chrono>
#include <fstream>
#include <string>

namespace fs = std::filesystem;

namespace temper {
namespace {

std::optional<std::uint64_t> number_in(const fs::path& path) {
    std::ifstream file(path);
    std::uint64_t value = 0;
    if (!(file >> value)) return std::nullopt;
    return value;
}

// intel-rapl:0 is a package; intel-rapl:0:1 a part of it. psys holds the packages and would count them twice.
bool is_package(const fs::path& zone) {
    const std::string name = zone.filename().string();
    std::string kind;
    std::ifstream(zone / "name") >> kind;
    return name.starts_with("intel-rapl:") && name.find(':', 11) == std::string::npos && kind != "psys";
}

}  // namespace

EnergyMeter::EnergyMeter(const fs::path& powercap, double seconds_between_looks) {
    std::error_code error;
    for (fs::directory_iterator entry(powercap, error), end; !error && entry != end; entry.increment(error)) {
        if (!is_package(entry->path())) continue;
        const auto now = number_in(entry->path() / "energy_uj"), range = number_in(entry->path() / "max_energy_range_uj");
        if (now && range) zones_.push_back({entry->path() / "energy_uj", *range, *now, 0});
    }
    if (!zones_.empty()) thread_ = std::thread([this, seconds_between_looks] { run(seconds_between_looks); });
}

EnergyMeter::~EnergyMeter() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void EnergyMeter::look() {
    for (Zone& zone : zones_) {
        const auto now = number_in(zone.counter);
        if (!now) continue;
        zone.total += *now >= zone.last ? *now - zone.last : zone.range - zone.last + *now;
        zone.last = *now;
    }
}

void EnergyMeter::run(double seconds) {
    std::unique_lock lock(mutex_);
    while (!stop_) {
        wake_.wait_for(lock, std::chrono::duration<double>(seconds));
        look();
    }
}

std::optional<double> EnergyMeter::joules() {
    if (zones_.empty()) return std::nullopt;
    const std::lock_guard lock(mutex_);
    look();
    std::uint64_t total = 0;
    for (const Zone& zone : zones_) total += zone.total;
    return static_cast<double>(total) * 1e-6;
}

}  // namespace temper
