#include "eval/row_job.h"

#include <algorithm>

#include "eval/part_writer.h"
#include "io/durable.h"
#include "io/in_order.h"
#include "io/machine.h"
#include "io/output_file.h"
#include "io/progress.h"
#include "io/result_line.h"
#include "kernels/error.h"
#include "runs/stop_signal.h"

namespace temper {
namespace {

class RowJob {
  public:
    RowJob(const char* name, const JobOptions& options, const RowFiles& files, Comm& comm, Stream& stream, RowWork& work)
        : name_(name), options_(options), files_(files), comm_(comm), stream_(stream), work_(work) {}

    int run() {
        const Json plan = broadcast_json(comm_, comm_.rank() == 0 ? make_plan() : Json());
        if (plan.at("finished").get<bool>()) return say_finished();
        try {
            return do_rows(plan);
        } catch (const std::exception& error) {
            if (record_) record_->failed(error);
            throw;
        }
    }

  private:
    void say(const std::string& text) const { console().line(fmt::format("temper: {}: {}", name_, text)); }

    // Rank 0: what there is to do, and who does it.
    Json make_plan() {
        check_output_file(files_.output, {files_.input});
        input_.sha256 = rows_sha256(files_.input);
        const std::string output = std::filesystem::absolute(files_.output).lexically_normal().string();
        // Bits are promised within one instruction set.
        const std::string identity = sha256_hex(fmt::format("{}\n{}\ninput {}\noutput {}\non {} {}\n", name_, work_.identity(), input_.sha256, output,
                                                            name_of(stream_.device()), name_of(stream_.isa())));
        record_.emplace(options_, work_.settings(), identity, files_.output);
        if (record_->finished_already()) return {{"finished", true}};
        record_->begin(stream_, comm_.size());
        const InputCosts costs = scan_input(files_.input, work_.most_bytes());
        input_.rows = costs.rows;
        record_->record().add_data("input", files_.input, input_.sha256, input_.rows);
        record_->stage("rows");
        const std::vector<RowRange> left = rows_left(ranges_of(find_parts(record_->parts(), work_.width())), input_.rows);
        Json shares = Json::array();
        std::int64_t count = 0;
        for (const auto& share : share_rows(left, costs, comm_.size())) {
            Json ranges = Json::array();
            for (const RowRange& range : share) ranges.push_back({range.first, range.count}), count += range.count;
            shares.push_back(ranges);
        }
        say(fmt::format("{} {}: {} of {} rows to do", record_->resumed() ? "continuing run" : "run", record_->directory().path().string(), count,
                        input_.rows));
        return {{"finished", false}, {"parts", record_->parts().string()}, {"shares", shares}};
    }

    int say_finished() const {
        if (comm_.rank() != 0) return 0;
        say(fmt::format("run {} is finished already", record_->directory().path().string()));
        if (options_.json) print_result(record_->result());
        return 0;
    }

    int do_rows(const Json& plan) {
        std::vector<RowRange> mine;
        for (const Json& range : plan.at("shares").at(static_cast<std::size_t>(comm_.rank()))) mine.push_back({range.at(0), range.at(1)});
        const double begin = Progress::steady_seconds();
        const bool whole = make_results(mine, plan.at("parts").get<std::string>());
        const double seconds = Progress::steady_seconds() - begin;
        const bool stopped = comm_.all_max(whole ? 0 : 1) != 0;
        RunPerformance performance;
        performance.tokens = comm_.all_sum(tokens_);
        performance.seconds = static_cast<double>(comm_.all_max(static_cast<std::int64_t>(seconds * 1e6))) * 1e-6;
        performance.tokens_per_second = static_cast<double>(performance.tokens) / std::max(performance.seconds, 1e-9);
        performance.peak_memory_bytes = comm_.all_max(peak_memory_bytes());
        if (comm_.rank() == 0) end(stopped, performance);
        comm_.barrier();
        return stopped ? static_cast<int>(ExitCode::requeue) : 0;
    }

    // False when a signal cut it short; what was done lies in parts.
    bool make_results(const std::vector<RowRange>& ranges, const std::filesystem::path& parts) {
        std::int64_t total = 0, done = 0;
        for (const RowRange& range : ranges) total += range.count;
        if (total == 0) return true;
        struct Piece {
            RowPieces::Piece rows;
            PartRows results;
        };
        const RowWork::Workers workers = work_.begin();
        release_free_memory();
        RowPieces pieces(files_.input, ranges, work_.text_field(), workers.piece, workers.threads);
        PartWriter writer(parts, work_.width());
        Progress progress(comm_.size() > 1 ? fmt::format("{} (rank {} of {})", name_, comm_.rank(), comm_.size()) : name_, total);
        const double begin = Progress::steady_seconds();
        const auto take = [&](Piece& piece) { return stop_requested() == 0 && pieces.next(piece.rows); };
        const auto make = [&](Piece& piece) {
            piece.results.width = work_.width();
            piece.results.first = piece.rows.first;
            work_.make(piece.rows, piece.results);
        };
        const auto give = [&](Piece& piece) {
            writer.add(piece.results);
            done += piece.results.rows();
            tokens_ += piece.results.totals.tokens;
            const double rate = static_cast<double>(done) / std::max(Progress::steady_seconds() - begin, 1e-9);
            if (comm_.rank() == 0) progress.update(done, tokens_, fmt::format("{:.0f} rows/s", rate));
        };
        in_order<Piece>(workers.threads, take, make, give);
        writer.flush();
        return done == total;
    }

    void end(bool stopped, const RunPerformance& performance) {
        if (stopped) {
            record_->preempted();
            say("stopped by a signal; the parts are saved: run again");
        } else {
            record_->stage("assemble");
            const Json metrics = work_.assemble(find_parts(record_->parts(), work_.width()), input_);
            record_->add_output("output", files_.output);
            record_->finish(metrics, performance);
            say(fmt::format("done: {} rows, {:.0f} tokens/s, {}", input_.rows, performance.tokens_per_second, files_.output));
        }
        if (options_.json) print_result(record_->result());
    }

    std::string name_;
    const JobOptions& options_;
    RowFiles files_;
    Comm& comm_;
    Stream& stream_;
    RowWork& work_;
    std::int64_t tokens_ = 0;
    // Rank 0.
    std::optional<JobRecord> record_;
    RowWork::Input input_;
};

}  // namespace

int run_row_job(const char* name, const JobOptions& options, const RowFiles& files, Comm& comm, Stream& stream, RowWork& work) {
    return RowJob(name, options, files, comm, stream, work).run();
}

}  // namespace temper
