// What machines and endpoints cost: a YAML file.
//   currency: EUR
//   machines:                       # the first one that fits counts; patterns have * and ?
//     - {device: "NVIDIA H100*", per_device_hour: 2.49}
//     - {device: "*", host: "node-*", per_host_hour: 0.35}
//   endpoints:
//     - {url: "https://api.example.com/*", model: "small-*", prompt: 0.15, completion: 0.60}      # a million tokens
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

struct MachinePrice {
    std::string host = "*", device = "*", cpu = "*";
    double per_host_hour = 0, per_device_hour = 0;
};

struct EndpointPrice {
    std::string url = "*", model = "*";
    double prompt = 0, completion = 0;
};

struct PriceTable {
    std::string currency = "EUR";
    std::vector<MachinePrice> machines;
    std::vector<EndpointPrice> endpoints;
    std::string sha256;  // of the file

    static PriceTable load(const std::filesystem::path& path);  // usage errors name line and column
    // {"amount", "currency", "price_table", "items": [{"what", "quantity", "unit", "price", "amount"}]} of a run that took that long, by its
    // record's environment and usage; empty where the table knows none of it.
    Json cost_of(const Json& record, double seconds) const;
};

}  // namespace temper
