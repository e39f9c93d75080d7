// A job that makes one result a row of an input file, on any number of ranks and threads: rows are shared by cost, results are committed as parts, a
// job that was stopped or killed goes on where its parts end, and the parts become one output in the order of the rows.
#pragma once
#include <string>

#include "eval/result_parts.h"
#include "eval/row_pieces.h"
#include "io/comm/job_ranks.h"
#include "runs/job_record.h"

namespace temper {

// What a job does with rows. make() is called by many threads at once.
class RowWork {
  public:
    virtual ~RowWork() = default;
    virtual Json settings() const = 0;            // for the record
    virtual std::string identity() const = 0;     // of all that decides a row's result but the input
    virtual std::int64_t width() const = 0;       // PartRows
    virtual std::int64_t most_bytes() const = 0;  // more bytes of a row cost nothing more
    virtual std::string text_field() const = 0;
    // Before the first row: how large pieces are, and how many threads work on them.
    struct Workers {
        int threads = 1;
        PieceSize piece;
    };
    virtual Workers begin() = 0;
    // Results of the rows, in their order, and the totals. Frees what the rows hold.
    virtual void make(RowPieces::Piece& rows, PartRows& results) const = 0;
    // All results to the output; figures for the record.
    struct Input {
        std::int64_t rows = 0;
        std::string sha256;
    };
    virtual Json assemble(const std::vector<PartInfo>& parts, const Input& input) = 0;
};

struct RowFiles {
    std::string input, output;
};
// Returns the exit code: 0 done, 75 stopped by a signal with the parts saved.
int run_row_job(const char* name, const JobOptions& options, const RowFiles& files, Comm& comm, Stream& stream, RowWork& work);

}  // namespace temper
