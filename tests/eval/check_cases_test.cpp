// 300 outputs, half of them with a planted fault: the checks that are to fail do, with a message that names what is wrong, and no other one does.
#include <gtest/gtest.h>

#include <set>

#include "eval/hard_checks.h"
#include "io/jsonl.h"

namespace temper {
namespace {

const std::filesystem::path folder = std::filesystem::path(TEMPER_SOURCE_DIR) / "tests" / "goldens" / "checks";

TEST(CheckCases, EveryPlantedFaultIsFoundAndNamed) {
    const HardChecks checks(folder / "checks.yaml");
    JsonlReader reader(folder / "cases.jsonl");
    std::set<std::string> passed, failed;
    std::size_t rows = 0, good = 0;
    Json row;
    while (reader.next(row)) {
        ++rows;
        const Json& expected = row.at("fails");
        good += expected.empty();
        std::set<std::string> run;
        for (const HardChecks::Result& result : checks.run(row.at("prediction").get<std::string>(), row)) {
            run.insert(result.check);
            (result.fault.empty() ? passed : failed).insert(result.check);
            if (!expected.contains(result.check)) {
                EXPECT_EQ(result.fault, "") << row.at("id") << ": " << result.check << "\n" << row.at("prediction");
                continue;
            }
            EXPECT_NE(result.fault, "") << row.at("id") << ": " << result.check << " passes\n" << row.at("prediction");
            EXPECT_NE(result.fault.find(expected.at(result.check).get<std::string>()), std::string::npos)
                << row.at("id") << ": " << result.check << " says " << result.fault;
        }
        for (const auto& [check, unused] : expected.items()) EXPECT_TRUE(run.contains(check)) << row.at("id") << ": " << check << " was not run";
    }
    EXPECT_EQ(rows, 300u);
    EXPECT_EQ(good, 150u);
    for (const std::string& name : checks.names()) EXPECT_TRUE(passed.contains(name) && failed.contains(name)) << name;
}

}  // namespace
}  // namespace temper
