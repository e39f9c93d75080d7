// Rows of tokens in groups for one pass each, by length, without padding. On a CPU a group is so small that what a layer writes stays in the cache
// of the core that reads it next: each thread takes a group through all layers. By the row law no group changes a bit.
#pragma once
#include <cstdint>
#include <vector>

#include "model/text_model.h"
#include "model/text_rows.h"

namespace temper {

// Rows of [begin, end), the longest first, in groups of at most `tokens` (a longer row is alone).
std::vector<std::vector<std::size_t>> group_rows(const TokenRows& rows, std::size_t begin, std::size_t end, std::int64_t tokens);

// The streams that passes of a model run on: one a thread where they can share it, else the one that it was opened with.
class PassStreams {
  public:
    PassStreams(Stream& stream, bool shared);
    std::size_t size() const { return streams_.empty() ? 1 : streams_.size(); }
    Stream& operator[](std::size_t index) { return streams_.empty() ? stream_ : *streams_[index]; }
    // Tokens of a pass: `wanted`, or what suits the device.
    std::int64_t batch_tokens(std::int64_t wanted) const;

  private:
    Stream& stream_;
    std::vector<std::unique_ptr<Stream>> streams_;
};

}  // namespace temper
