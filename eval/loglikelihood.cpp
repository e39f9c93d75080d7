#include "eval/loglikelihood.h"

#include <algorithm>
#include <numeric>

#include "kernels/staged.h"

namespace temper {
namespace {

struct Size {
    std::int64_t tokens = 0, labels = 0;
};

// A share of the groups, and batches of them.
using Groups = std::vector<const RequestGroup*>;

// The groups of a rank: the next largest goes to the rank that has least.
Groups share_of(const std::vector<RequestGroup>& groups, int rank, int ranks) {
    std::vector<std::int64_t> load(static_cast<std::size_t>(ranks));
    Groups share;
    for (const RequestGroup& group : groups) {
        const auto least = std::min_element(load.begin(), load.end());
        *least += group.tokens;
        if (least - load.begin() == rank) share.push_back(&group);
    }
    return share;
}

std::vector<Groups> batches_of(const Groups& share, std::int64_t batch_tokens) {
    std::vector<Groups> batches;
    std::int64_t tokens = 0;
    for (const RequestGroup* group : share) {
        if (batches.empty() || tokens + group->tokens > batch_tokens) batches.emplace_back(), tokens = 0;
        batches.back().push_back(group);
        tokens += group->tokens;
    }
    return batches;
}

Size size_of(const Groups& batch) {
    Size size;
    for (const RequestGroup* group : batch) size.tokens += group->tokens, size.labels += group->labels;
    return size;
}

// Lays batches out, runs them, and keeps the sums.
class Pass {
  public:
    Pass(const Decoder& decoder, Span<const LoglikelihoodRequest> requests, std::int64_t max_length, Size most)
        : decoder_(decoder),
          requests_(requests),
          max_length_(max_length),
          activations_(decoder.stream().device(), decoder.config(), decoder.lora(), decoder.dtype(), most.tokens, Activations::Keep::nothing, 0,
                       most.labels),
          arena_(decoder.stream().device()) {
        cut(most);
        arena_ = arena_.allocated();
        cut(most);
    }

    void run(const Groups& batch, std::vector<Loglikelihood>& results) {
        lay_out(batch);
        Stream& stream = decoder_.stream();
        for (const Staged* numbers : {&ids_, &positions_}) send(stream, numbers->rows(0, at_));
        const auto labels = static_cast<std::int64_t>(labels_.size());
        send(stream, needed_.rows(0, labels));
        TokenBatch tokens = batch_;
        tokens.ids = ids_.device.rows(0, at_);
        tokens.positions = positions_.device.rows(0, at_);
        tokens.needed = needed_.device.rows(0, labels);
        const View hidden = decoder_.forward(tokens, activations_);
        ops::linear_cross_entropy(stream, nll_.device.rows(0, labels), correct_.device.rows(0, labels), View(), hidden, decoder_.head(), rows_,
                                  labels_, 1.0f, static_cast<float>(decoder_.config().logit_softcap));
        for (const Staged* result : {&nll_, &correct_}) fetch(stream, result->rows(0, labels));
        stream.synchronize();
        collect(batch, results);
    }

  private:
    void cut(Size most) {
        ids_ = arena_.take_staged(DType::i32, {most.tokens});
        positions_ = arena_.take_staged(DType::i32, {most.tokens});
        needed_ = arena_.take_staged(DType::i32, {most.labels});
        nll_ = arena_.take_staged(DType::f32, {most.labels});
        correct_ = arena_.take_staged(DType::i32, {most.labels});
    }

    // Tokens [begin, end) of a request's input.
    void add_tokens(const LoglikelihoodRequest& request, std::int64_t begin, std::int64_t end) {
        const auto context = static_cast<std::int64_t>(request.context.size());
        const std::int64_t cut = std::max<std::int64_t>(0, input_size(request) - max_length_);
        for (std::int64_t i = begin; i < end; ++i, ++at_) {
            const std::int64_t token = cut + i;
            ids_.host.as<std::int32_t>()[at_] =
                token < context ? request.context[static_cast<std::size_t>(token)] : request.continuation[static_cast<std::size_t>(token - context)];
            positions_.host.as<std::int32_t>()[at_] = static_cast<std::int32_t>(i);
        }
    }
    static std::int64_t input_size(const LoglikelihoodRequest& request) {
        return static_cast<std::int64_t>(request.context.size() + request.continuation.size()) - 1;
    }

    void lay_out(const Groups& batch) {
        at_ = 0;
        batch_ = TokenBatch();
        labels_.clear();
        for (const RequestGroup* group : batch) {
            const std::int64_t prefix_begin = at_;
            add_tokens(requests_[group->requests[0]], 0, group->prefix);
            if (group->prefix > 0) batch_.segments.push_back({prefix_begin, group->prefix, prefix_begin, 0, 0, 0});
            for (const std::size_t index : group->requests) {
                const LoglikelihoodRequest& request = requests_[index];
                const std::int64_t begin = at_;
                add_tokens(request, group->prefix, std::min(input_size(request), max_length_));
                batch_.segments.push_back({begin, at_ - begin, begin, prefix_begin, group->prefix, group->prefix});
                const auto count = static_cast<std::int64_t>(request.continuation.size());
                for (std::int64_t i = 0; i < count; ++i) {
                    needed_.host.as<std::int32_t>()[labels_.size()] = static_cast<std::int32_t>(at_ - count + i);
                    labels_.push_back(request.continuation[static_cast<std::size_t>(i)]);
                }
            }
        }
        rows_.resize(labels_.size());
        std::iota(rows_.begin(), rows_.end(), 0);
    }

    void collect(const Groups& batch, std::vector<Loglikelihood>& results) {
        std::int64_t label = 0;
        for (const RequestGroup* group : batch)
            for (const std::size_t index : group->requests) {
                Loglikelihood& result = results[index];
                result = {0.0, true};
                for (std::size_t i = 0; i < requests_[index].continuation.size(); ++i, ++label) {
                    result.sum -= static_cast<double>(nll_.host.as<float>()[label]);
                    result.greedy &= correct_.host.as<std::int32_t>()[label] != 0;
                }
            }
    }

    const Decoder& decoder_;
    Span<const LoglikelihoodRequest> requests_;
    std::int64_t max_length_, at_ = 0;
    Activations activations_;
    StagedArena arena_;
    Staged ids_, positions_, needed_, nll_, correct_;
    TokenBatch batch_;
    std::vector<std::int32_t> rows_, labels_;
};

// What each rank has found goes to all, in the order of the ranks.
void exchange(Comm& comm, const std::vector<RequestGroup>& groups, std::vector<Loglikelihood>& results) {
    for (int rank = 0; rank < comm.size(); ++rank) {
        std::vector<std::size_t> indices;
        for (const RequestGroup* group : share_of(groups, rank, comm.size()))
            indices.insert(indices.end(), group->requests.begin(), group->requests.end());
        std::vector<double> numbers;
        for (const std::size_t index : indices) numbers.insert(numbers.end(), {results[index].sum, results[index].greedy ? 1.0 : 0.0});
        comm.broadcast(numbers.data(), numbers.size() * sizeof(double), rank);
        for (std::size_t i = 0; i < indices.size(); ++i) results[indices[i]] = {numbers[2 * i], numbers[2 * i + 1] != 0.0};
    }
}

}  // namespace

std::vector<Loglikelihood> loglikelihoods(const Decoder& decoder, Comm& comm, Span<const LoglikelihoodRequest> requests,
                                          const LoglikelihoodSettings& settings, const std::function<void(std::int64_t, std::int64_t)>& progress) {
    std::vector<Loglikelihood> results(requests.size());
    const std::vector<RequestGroup> groups = group_requests(requests, settings.max_length, settings.batch_tokens);
    const std::vector<Groups> batches = batches_of(share_of(groups, comm.rank(), comm.size()), settings.batch_tokens);
    Size most, all;
    for (const Groups& batch : batches) {
        const Size size = size_of(batch);
        most = {std::max(most.tokens, size.tokens), std::max(most.labels, size.labels)};
        all.tokens += size.tokens;
    }
    if (!batches.empty()) {
        Pass pass(decoder, requests, settings.max_length, most);
        std::int64_t done = 0;
        for (const Groups& batch : batches) {
            pass.run(batch, results);
            if (settings.finished)
                for (const RequestGroup* group : batch)
                    for (const std::size_t index : group->requests) settings.finished(index, results[index]);
            done += size_of(batch).tokens;
            progress(done, all.tokens);
        }
    }
    if (comm.size() > 1) exchange(comm, groups, results);
    return results;
}

}  // namespace temper
