#include "runs/run_meter.h"

#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "runs/record_options.h"
#include "tests/runs/record_maker.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

TEST(EnergyMeter, AddsPackagesUpAcrossWraps) {
    TemporaryDirectory temporary;
    const fs::path first = temporary.path() / "intel-rapl:0", second = temporary.path() / "intel-rapl:1";
    for (const fs::path& zone : {first, second}) {
        write(zone / "name", "package-0\n");
        write(zone / "energy_uj", "9000000\n");
        write(zone / "max_energy_range_uj", "10000000\n");
    }
    write(temporary.path() / "intel-rapl:0:0" / "name", "core\n");  // a part of the first
    write(temporary.path() / "intel-rapl:0:0" / "energy_uj", "0\n");
    write(temporary.path() / "intel-rapl:0:0" / "max_energy_range_uj", "10000000\n");
    write(temporary.path() / "intel-rapl:2" / "name", "psys\n");  // holds them all
    write(temporary.path() / "intel-rapl:2" / "energy_uj", "0\n");
    write(temporary.path() / "intel-rapl:2" / "max_energy_range_uj", "10000000\n");
    EnergyMeter meter(temporary.path(), 3600);
    EXPECT_EQ(meter.joules(), 0.0);
    write(first / "energy_uj", "9500000\n");
    write(temporary.path() / "intel-rapl:2" / "energy_uj", "9999999\n");
    EXPECT_NEAR(*meter.joules(), 0.5, 1e-9);
    write(first / "energy_uj", "1000000\n");  // 0.5 J to the end of its range, and 1 J
    EXPECT_NEAR(*meter.joules(), 2.0, 1e-9);
    write(second / "energy_uj", "9250000\n");
    EXPECT_NEAR(*meter.joules(), 2.25, 1e-9);
}

TEST(EnergyMeter, LooksInTimeByItself) {
    TemporaryDirectory temporary;
    const fs::path zone = temporary.path() / "intel-rapl:0";
    write(zone / "name", "package-0\n");
    write(zone / "energy_uj", "0\n");
    write(zone / "max_energy_range_uj", "1000000\n");
    EnergyMeter meter(temporary.path(), 0.01);
    for (int wrap = 0; wrap < 3; ++wrap) {  // more than one range between two questions
        for (const char* value : {"600000\n", "100000\n"}) {
            write(zone / "energy_uj.new", value);
            fs::rename(zone / "energy_uj.new", zone / "energy_uj");
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
        }
    }
    EXPECT_NEAR(*meter.joules(), 3.1, 1e-9);
}

TEST(EnergyMeter, SaysNothingWhereTheMachineDoesNot) {
    TemporaryDirectory temporary;
    EXPECT_FALSE(EnergyMeter(temporary.path() / "none").joules().has_value());
    write(temporary.path() / "intel-rapl:0" / "name", "package-0\n");
    EXPECT_FALSE(EnergyMeter(temporary.path()).joules().has_value());
}

const char* const prices = R"(currency: USD
machines:
  - {host: "gpu-*", device: "NVIDIA H100*", per_device_hour: 3.0, per_host_hour: 1.0}
  - {device: cpu, per_host_hour: 0.5}
endpoints:
  - {url: "https://api.example.com/*", model: "small-*", prompt: 2.0, completion: 8.0}
)";

TEST(PriceTable, PricesTimeAndTokens) {
    TemporaryDirectory temporary;
    write(temporary.path() / "prices.yaml", prices);
    const PriceTable table = PriceTable::load(temporary.path() / "prices.yaml");
    Json record{{"environment", {{"host", "gpu-7"}, {"device", "cuda"}, {"device_name", "NVIDIA H100 80GB HBM3"}, {"ranks", 4}, {"hosts", 2}}}};
    const Json gpu = table.cost_of(record, 1800);
    EXPECT_DOUBLE_EQ(gpu["amount"].get<double>(), 0.5 * 4 * 3.0 + 0.5 * 2 * 1.0);
    EXPECT_EQ(gpu["currency"], "USD");
    EXPECT_EQ(gpu["items"].size(), 2u);
    record["environment"] = {{"host", "node-1"}, {"device", "cpu"}, {"ranks", 2}};
    record["usage"] = {{{"endpoint", "https://api.example.com/v1"}, {"model", "small-8b"}, {"prompt_tokens", 500000}, {"completion_tokens", 250000}},
                       {{"endpoint", "https://other.example.com/v1"}, {"model", "small-8b"}, {"prompt_tokens", 500000}, {"completion_tokens", 1}}};
    EXPECT_DOUBLE_EQ(table.cost_of(record, 3600)["amount"].get<double>(), 0.5 + 1.0 + 2.0);
    EXPECT_TRUE(table.cost_of({{"environment", {{"host", "x"}, {"device", "none"}}}}, 3600).empty());
}

TEST(PriceTable, NamesThePlaceOfAMistake) {
    TemporaryDirectory temporary;
    write(temporary.path() / "prices.yaml", "machines:\n  - {device: cpu, per_hour: 1}\n");
    try {
        PriceTable::load(temporary.path() / "prices.yaml");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage);
        EXPECT_NE(std::string(error.what()).find("prices.yaml:2:"), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("per_hour"), std::string::npos) << error.what();
    }
}

TEST(RunMeter, AddsAttemptsUp) {
    TemporaryDirectory temporary;
    write(temporary.path() / "prices.yaml", prices);
    RunRecord record = RunRecord::open(make_record(temporary.path(), "a", Json::object()) / "run.json");
    RunEnvironment environment;
    environment.device = "cpu";
    environment.ranks = 3;
    record.set_environment(environment);
    record.fields()["performance"] = {{"wall_seconds", 7200.0}, {"cpu_seconds", 10.0}, {"device_seconds", 21600.0}};
    RunMeter meter(record, temporary.path() / "prices.yaml");
    RunPerformance performance;
    performance.tokens = 5;
    record.set_performance(performance);  // keeps the meter's figures
    meter.add_to(record);
    const Json& found = record.fields()["performance"];
    EXPECT_EQ(found["tokens"], 5);
    EXPECT_NEAR(found["wall_seconds"].get<double>(), 7200.0, 5.0);
    EXPECT_NEAR(found["device_seconds"].get<double>(), 21600.0, 15.0);
    EXPECT_NEAR(found["cost"].get<double>(), 1.0, 0.01);
    EXPECT_EQ(record.fields()["cost"]["price_table"].get<std::string>().size(), 64u);
}

// What a command says of its tokens is added to the price of its time.
TEST(RunMeter, KeepsACommandsOwnCost) {
    TemporaryDirectory temporary;
    write(temporary.path() / "prices.yaml", "machines:\n  - {device: none, per_host_hour: 3600}\n");
    RunRecord record = RunRecord::open(make_record(temporary.path(), "a", Json::object()) / "run.json");
    RunEnvironment environment;
    environment.device = "none";
    record.set_environment(environment);
    RunMeter meter(record, temporary.path() / "prices.yaml");
    RunPerformance performance;
    performance.cost = 40;
    record.set_performance(performance);
    meter.add_to(record);
    EXPECT_GT(record.fields()["performance"]["cost"].get<double>(), 40.0);
    EXPECT_LT(record.fields()["performance"]["cost"].get<double>(), 60.0);
    EXPECT_EQ(record.fields()["cost"]["items"].size(), 2u);
    EXPECT_EQ(record.fields()["cost"]["amount"], record.fields()["performance"]["cost"]);
}

TEST(RecordOptions, RefuseWhatIsNoRunAndNoTag) {
    const auto message_of = [](const RecordOptions& options) -> std::string {
        try {
            check_record_options(options);
        } catch (const Error& error) {
            return error.what();
        }
        return "";
    };
    RecordOptions options;
    EXPECT_EQ(message_of(options), "");
    options.parent = "20261122T040000Z-nightly-1a2b3c4d";
    EXPECT_EQ(message_of(options), "");
    for (const char* wrong : {"nightly", "20261122T040000Z--1a2b3c4d", "20261122T040000Z-nightly-1a2b3c4", "2026x122T040000Z-nightly-1a2b3c4d",
                              "20261122T040000Z-night ly-1a2b3c4d", "20261122T040000Z-.x-1a2b3c4d"}) {
        options.parent = wrong;
        EXPECT_NE(message_of(options).find("--parent"), std::string::npos) << wrong;
    }
    options.parent.clear();
    options.tags = {"a=b", "no_value"};
    EXPECT_NE(message_of(options).find("--tag: found \"no_value\""), std::string::npos);
}

}  // namespace
}  // namespace temper
