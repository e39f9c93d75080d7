// `temper embed`: vectors of a file's texts, in the order of its rows, on any number of ranks. A text's vector depends on nothing but the text, so
// that ranks, threads, batches and interruptions change no bit of the result.
#pragma once
#include <optional>
#include <string>

#include "runs/job_record.h"

namespace temper {

struct EmbedOptions : JobOptions {
    std::string model, input, output, field = "text", id_field = "id";
    std::string dtype = "float32", output_dtype = "float32", format = "hdf5", normalize = "auto", pooling, prompt_name;
    std::string int8_scales;  // the file of `temper calibrate`, with dtype int8
    std::optional<std::string> prompt;
    std::int64_t batch_tokens = 0, dimensions = 0, max_length = 0;
};
// Returns the exit code: 0 done, 75 stopped by a signal with the parts saved. Everything else is an Error.
int run_embed_job(const EmbedOptions& options);

}  // namespace temper
