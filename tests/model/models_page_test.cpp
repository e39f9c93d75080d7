// docs/models.md names every family that is read, and no other.
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "model/config.h"

namespace temper {
namespace {

TEST(ModelsPage, ListsTheFamiliesThatAreRead) {
    std::string refusal;
    try {
        parse_model_config({{"model_type", "no such family"}}, "config.json");
    } catch (const Error& error) {
        refusal = error.what();
    }
    const std::string opening = "supported families are ";
    ASSERT_NE(refusal.find(opening), std::string::npos) << refusal;
    std::set<std::string> read;
    const std::string list = refusal.substr(refusal.find(opening) + opening.size());
    const std::regex word("[a-z0-9_]+");
    for (std::sregex_iterator at(list.begin(), list.end(), word), end; at != end; ++at) read.insert(at->str());

    std::set<std::string> listed;
    const std::string page = read_file(TEMPER_SOURCE_DIR "/docs/models.md");
    const std::regex row("\n\\| `([a-z0-9_]+)` \\|");
    for (std::sregex_iterator at(page.begin(), page.end(), row), end; at != end; ++at) listed.insert((*at)[1]);
    listed.erase("model_type");  // the heading
    EXPECT_EQ(listed, read);
}

}  // namespace
}  // namespace temper
