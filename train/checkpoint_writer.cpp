#include "train/checkpoint_writer.h"

#include <chrono>

#include "io/log.h"

namespace temper {

CheckpointWriter::~CheckpointWriter() {
    try {
        wait();
    } catch (const std::exception& error) {
        log_error("the last checkpoint was not written: {}", error.what());
    }
}

void CheckpointWriter::save(std::function<TrainState()> state, std::int64_t keep_last, std::vector<std::int64_t> protected_steps) {
    wait();
    writing_ = std::async(std::launch::async, [this, state = std::move(state), keep_last, kept = std::move(protected_steps)] {
        store_.save(state());
        store_.prune(keep_last, kept);
    });
}

void CheckpointWriter::check() {
    if (writing_.valid() && writing_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) writing_.get();
}

void CheckpointWriter::wait() {
    if (writing_.valid()) writing_.get();
}

StateCopy::StateCopy(const Trainer& trainer) : trainer_(trainer) {
    if (trainer.stream().device() == Device::cpu) return;
    const std::int64_t parameters = trainer.parameters();
    pinned_ = Arena(3 * static_cast<std::size_t>(parameters) * sizeof(float), Memory::pinned);
    copy_ = View(pinned_.data(), DType::f32, {3, parameters});
}

std::function<TrainState()> StateCopy::take(Json cursor) {
    TrainState state;
    if (copy_.empty()) state = trainer_.state();
    else trainer_.copy_state(copy_);
    state.step = trainer_.steps_done();
    state.cursor = std::move(cursor);
    return [copy = copy_, state = std::move(state)]() mutable {
        std::int64_t row = 0;
        for (std::vector<float>* values : {&state.parameters, &state.first_moment, &state.second_moment}) {
            if (copy.empty()) break;
            const float* const from = copy.row<float>(row++);
            values->assign(from, from + copy.size(1));
        }
        return std::move(state);
    };
}

}  // namespace temper
