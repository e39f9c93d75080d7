// Energy that this host's processors have taken, from the counters of Linux' powercap (RAPL). They are of the whole machine, whoever else works on
// it, wrap around within minutes to hours, and are root's to read on many systems: what cannot be read is not known.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace temper {

class EnergyMeter {
  public:
    explicit EnergyMeter(const std::filesystem::path& powercap = "/sys/class/powercap", double seconds_between_looks = 20.0);
    ~EnergyMeter();
    EnergyMeter(const EnergyMeter&) = delete;
    EnergyMeter& operator=(const EnergyMeter&) = delete;

    std::optional<double> joules();  // since it was made; nothing where the machine does not tell

  private:
    struct Zone {
        std::filesystem::path counter;
        std::uint64_t range = 0, last = 0, total = 0;  // microjoules; the counter goes from `range` back to 0
    };
    void look();
    void run(double seconds);

    std::vector<Zone> zones_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stop_ = false;
    std::thread thread_;  // none where there is no zone
};

}  // namespace temper
