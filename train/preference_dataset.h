// Tokenised rows of preferences: pairs for DPO and its kin, labelled answers for KTO. Read, checked and cached as TokenDataset's rows are.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/comm/comm.h"
#include "io/tokenizer/tokenizer.h"
#include "kernels/span.h"
#include "train/data_report.h"
#include "train/data_request.h"
#include "train/preference_encoder.h"
#include "train/token_file.h"

namespace temper {

class PreferenceDataset {
  public:
    using Request = DataRequest;  // with kind pairs or unpaired
    // Rank 0 reads and writes the cache; the others wait and map it. bad_data when no row is left.
    static PreferenceDataset open(const Request& request, const Tokenizer& tokenizer, Comm& comm);
    // Rows that are tokens already, all with as many answers (2 or 1); nothing is cached.
    static PreferenceDataset from_rows(const std::vector<PreferenceRow>& rows);

    bool paired() const { return file_.lists_of_row() == 3; }
    std::int64_t rows() const { return file_.rows(); }
    // prompt + answer is what the model reads; every answer has a token that it predicts. data.max_length holds for each such sequence.
    Span<const std::int32_t> prompt(std::int64_t row) const { return file_.list(row, 0); }
    Span<const std::int32_t> chosen(std::int64_t row) const { return file_.list(row, 1); }
    Span<const std::int32_t> rejected(std::int64_t row) const { return file_.list(row, 2); }         // of pairs
    Span<const std::int32_t> completion(std::int64_t row) const { return file_.list(row, 1); }       // of unpaired rows
    bool label(std::int64_t row) const { return file_.marks()[row] != 0; }                           // of unpaired rows: it is desirable
    std::int64_t length(std::int64_t row) const { return file_.begin(row + 1) - file_.begin(row); }  // tokens of the prompt and all answers
    std::string source_line(std::int64_t row) const { return file_.source_line(row); }
    const DataReport& report() const { return file_.report(); }  // data_report() of dataset.h makes it JSON
    const std::vector<DataSource>& sources() const { return file_.sources(); }
    const std::string& template_sha256() const { return file_.template_sha256(); }
    const std::string& hash() const { return file_.key(); }

  private:
    explicit PreferenceDataset(TokenFile file) : file_(std::move(file)) {}
    TokenFile file_;
};

}  // namespace temper
