// What an attempt takes: time, energy and, by a price table, money. Added to what the record holds of earlier attempts.
#pragma once
#include <filesystem>
#include <optional>

#include "runs/energy_meter.h"
#include "runs/price_table.h"
#include "runs/run_record.h"

namespace temper {

class RunMeter {
  public:
    // `price_table`: empty where costs are not wanted.
    RunMeter(const RunRecord& record, const std::filesystem::path& price_table);
    // Into the record's performance and cost; after its set_performance.
    void add_to(RunRecord& record);

  private:
    std::optional<PriceTable> prices_;
    double began_, cpu_began_;
    double wall_before_, cpu_before_, device_before_, joules_before_;  // of earlier attempts
    EnergyMeter energy_;
};

}  // namespace temper
