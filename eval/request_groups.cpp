#include <algorithm>
#include <numeric>

#include "eval/loglikelihood.h"
#include "kernels/error.h"

namespace temper {
namespace {

// A request's input: the last tokens of context and continuation that the model sees, without the last one, which predicts nothing.
struct Input {
    const LoglikelihoodRequest* request;
    std::int64_t cut;  // tokens that the context loses

    std::int64_t size() const { return context() + static_cast<std::int64_t>(request->continuation.size()) - 1; }
    std::int64_t context() const { return static_cast<std::int64_t>(request->context.size()) - cut; }
    std::int32_t at(std::int64_t i) const {
        return i < context() ? request->context[static_cast<std::size_t>(cut + i)] : request->continuation[static_cast<std::size_t>(i - context())];
    }
    std::int64_t first_label() const { return context() - 1; }  // the row that predicts the continuation's first token
};

Input input_of(const LoglikelihoodRequest& request, std::size_t index, std::int64_t max_length) {
    const auto context = static_cast<std::int64_t>(request.context.size()), continuation = static_cast<std::int64_t>(request.continuation.size());
    if (context == 0 || continuation == 0)
        throw_error(ExitCode::usage, "request {}: an empty {}", index + 1, context == 0 ? "context" : "continuation");
    if (continuation > max_length)
        throw_error(ExitCode::bad_data, "request {}: its continuation is {} tokens, more than the model's {}", index + 1, continuation, max_length);
    return {&request, std::max<std::int64_t>(0, context + continuation - 1 - max_length)};
}

bool before(const Input& a, const Input& b) {
    const std::int64_t common = std::min(a.size(), b.size());
    for (std::int64_t i = 0; i < common; ++i)
        if (a.at(i) != b.at(i)) return a.at(i) < b.at(i);
    return a.size() < b.size();
}

std::int64_t common_prefix(const Input& a, const Input& b) {
    const std::int64_t most = std::min(a.size(), b.size());
    std::int64_t length = 0;
    while (length < most && a.at(length) == b.at(length)) ++length;
    return length;
}

// What of a group under way decides whether the next input joins it.
struct Building {
    std::int64_t inputs = 0, whole = 0;    // different ones, and their tokens without sharing
    std::int64_t first_label = INT64_MAX;  // rows with a label lie behind the prefix: each predicts for one input
    std::int64_t common = INT64_MAX;       // tokens that all inputs begin with

    // Where it takes few tokens more: the group with the input, its request not yet added.
    bool take(RequestGroup& group, const Input* last, const Input& input, std::int64_t most_tokens) {
        const std::int64_t alike = last == nullptr ? INT64_MAX : common_prefix(*last, input);
        const bool repeats = last != nullptr && alike == input.size() && alike == last->size();
        Building next{inputs + (repeats ? 0 : 1), whole + (repeats ? 0 : input.size()), std::min(first_label, input.first_label()),
                      std::min(common, alike)};
        const std::int64_t prefix = next.inputs == 1 ? 0 : std::min(next.common, next.first_label);  // one input shares nothing yet
        const std::int64_t together = next.whole - (next.inputs - 1) * prefix;
        const std::int64_t labels = group.labels + static_cast<std::int64_t>(input.request->continuation.size());
        if (last != nullptr && (together >= group.tokens + input.size() || std::max(together, labels) > most_tokens)) return false;
        *this = next;
        group.repeats.push_back(repeats);
        group.prefix = prefix;
        group.tokens = together;
        return true;
    }
};

}  // namespace

std::vector<RequestGroup> group_requests(Span<const LoglikelihoodRequest> requests, std::int64_t max_length, std::int64_t most_tokens) {
    std::vector<Input> inputs;
    inputs.reserve(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) inputs.push_back(input_of(requests[i], i, max_length));
    std::vector<std::size_t> order(requests.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return before(inputs[a], inputs[b]); });
    std::vector<RequestGroup> groups;
    Building building;
    for (const std::size_t index : order) {
        const Input& input = inputs[index];
        if (groups.empty() || !building.take(groups.back(), &inputs[groups.back().requests.back()], input, most_tokens)) {
            groups.emplace_back();
            building = Building();
            building.take(groups.back(), nullptr, input, most_tokens);
        }
        groups.back().requests.push_back(index);
        groups.back().labels += static_cast<std::int64_t>(input.request->continuation.size());
    }
    std::stable_sort(groups.begin(), groups.end(), [](const RequestGroup& a, const RequestGroup& b) { return a.tokens > b.tokens; });
    return groups;
}

}  // namespace temper
