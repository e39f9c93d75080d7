#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "eval/text_metrics.h"

namespace temper {
namespace {

struct Arguments {
    std::string predictions, metrics;
    bool json = false;
};

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

int score(const Arguments& arguments) {
    const Json means = score_file(arguments.predictions, split(arguments.metrics));
    for (const auto& [name, value] : means.items()) std::printf("%s %s\n", name.c_str(), value.dump().c_str());
    if (!arguments.json) return 0;
    Json result{{"status", "done"}};
    result.update(means);
    print_result(result);
    return 0;
}

}  // namespace

void add_score(Command& temper) {
    auto arguments = std::make_shared<Arguments>();
    Command& command = temper.command("score", "Scores predictions against references.");
    command.required("--predictions", arguments->predictions, "rows.jsonl", "Rows {\"prediction\", \"reference\"}.");
    command.required("--metrics", arguments->metrics, "NAMES", "Names joined by commas: exact_match, json_fields.");
    command.flag("--json", arguments->json, "One object as the last line of stdout.");
    command.runs([arguments] { return score(*arguments); });
}

}  // namespace temper
