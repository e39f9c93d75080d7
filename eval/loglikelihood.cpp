#include "eval/loglikelihood.h"

#include <algorithm>

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
    Size size;
    for (const RequestGroup* group : share) {
        size = {size.tokens + group->tokens, size.labels + group->labels};
        if (batches.empty() || std::max(size.tokens, size.labels) > batch_tokens) batches.emplace_back(), size = {group->tokens, group->labels};
        batches.back().push_back(group);
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
        send(stream, needed_.rows(0, outputs_));
        TokenBatch tokens = batch_;
        tokens.ids = ids_.device.rows(0, at_);
        tokens.positions = positions_.device.rows(0, at_);
        tokens.needed = needed_.device.rows(0, outputs_);
        const View hidden = decoder_.forward(tokens, activations_);
        std::int64_t first = 0;
        for (Round& round : rounds_) {
            const auto count = static_cast<std::int64_t>(round.labels.size());
            ops::linear_cross_entropy(stream, nll_.device.rows(first, count), correct_.device.rows(first, count), View(), hidden, decoder_.head(),
                                      round.rows, round.labels, 1.0f, static_cast<float>(decoder_.config().logit_softcap));
            round.first = first;
            first += count;
        }
        for (const Staged* result : {&nll_, &correct_}) fetch(stream, result->rows(0, first));
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

    // The requests of one input, in their order: each is in a round of its own, since a row of hidden states has one label in a round.
    template <class Take> void each_input(const Groups& batch, const Take& take) const {
        for (const RequestGroup* group : batch)
            for (std::size_t begin = 0; begin < group->requests.size();) {
                std::size_t end = begin + 1;
                while (end < group->requests.size() && group->repeats[end]) ++end;
                take(*group, begin == 0, Span<const std::size_t>(group->requests.data() + begin, end - begin));
                begin = end;
            }
    }

    void lay_out(const Groups& batch) {
        at_ = outputs_ = 0;
        batch_ = TokenBatch();
        rounds_.clear();
        std::int64_t prefix_begin = 0;
        each_input(batch, [&](const RequestGroup& group, bool first, Span<const std::size_t> alike) {
            const LoglikelihoodRequest& request = requests_[alike[0]];
            if (first) {
                prefix_begin = at_;
                add_tokens(request, 0, group.prefix);
                if (group.prefix > 0) batch_.segments.push_back({prefix_begin, group.prefix, prefix_begin, 0, 0, 0});
            }
            const std::int64_t begin = at_;
            add_tokens(request, group.prefix, std::min(input_size(request), max_length_));
            batch_.segments.push_back({begin, at_ - begin, begin, prefix_begin, group.prefix, group.prefix});
            std::int64_t most = 0;
            for (const std::size_t index : alike) most = std::max(most, static_cast<std::int64_t>(requests_[index].continuation.size()));
            for (std::int64_t row = at_ - most; row < at_; ++row) needed_.host.as<std::int32_t>()[outputs_++] = static_cast<std::int32_t>(row);
            if (rounds_.size() < alike.size()) rounds_.resize(alike.size());
            for (std::size_t k = 0; k < alike.size(); ++k) {
                const std::vector<std::int32_t>& continuation = requests_[alike[k]].continuation;
                for (std::size_t i = 0; i < continuation.size(); ++i) {
                    rounds_[k].rows.push_back(static_cast<std::int32_t>(outputs_ - static_cast<std::int64_t>(continuation.size() - i)));
                    rounds_[k].labels.push_back(continuation[i]);
                }
            }
        });
    }

    void collect(const Groups& batch, std::vector<Loglikelihood>& results) {
        each_input(batch, [&](const RequestGroup&, bool, Span<const std::size_t> alike) {
            for (std::size_t k = 0; k < alike.size(); ++k) {
                Loglikelihood& result = results[alike[k]];
                result = {0.0, true};
                for (std::size_t i = 0; i < requests_[alike[k]].continuation.size(); ++i, ++rounds_[k].first) {
                    result.sum -= static_cast<double>(nll_.host.as<float>()[rounds_[k].first]);
                    result.greedy &= correct_.host.as<std::int32_t>()[rounds_[k].first] != 0;
                }
            }
        });
    }

    // Labels over rows of hidden states that ascend.
    struct Round {
        std::vector<std::int32_t> rows, labels;
        std::int64_t first = 0;  // of its results; when they are collected, the next one
    };

    const Decoder& decoder_;
    Span<const LoglikelihoodRequest> requests_;
    std::int64_t max_length_, at_ = 0, outputs_ = 0;
    Activations activations_;
    StagedArena arena_;
    Staged ids_, positions_, needed_, nll_, correct_;
    TokenBatch batch_;
    std::vector<Round> rounds_;
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
