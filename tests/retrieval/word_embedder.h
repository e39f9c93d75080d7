// An Embedder without a model: tokens are words between spaces, a vector is the sum of its words' hashes.
#pragma once
#include <cmath>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "retrieval/embedder.h"

namespace temper::testing {

class WordEmbedder final : public Embedder {
  public:
    explicit WordEmbedder(std::string name = "words") : name_(std::move(name)) {}
    std::int64_t dimensions() const override { return 16; }
    std::string identity() const override { return name_; }
    bool normalized() const override { return true; }

    void embed(Span<const std::string> texts, EmbedRole /*role*/, float* vectors) override {
        for (const std::string& text : texts) {
            std::vector<double> sum(16, 1e-3);
            for (const TokenPlace& place : tokens(text)) {
                std::uint64_t hash = 0xcbf29ce484222325u;
                for (auto i = static_cast<std::size_t>(place.begin); i < static_cast<std::size_t>(place.end); ++i)
                    hash = (hash ^ static_cast<unsigned char>(text[i])) * 0x100000001b3u;
                sum[hash >> 60] += 1.0;
            }
            double length = 0;
            for (const double x : sum) length += x * x;
            for (const double x : sum) *vectors++ = static_cast<float>(x / std::sqrt(length));
        }
        embedded += static_cast<std::int64_t>(texts.size());
        if (after_batch) after_batch();
    }

    std::vector<TokenPlace> tokens(const std::string& text) const override {
        std::vector<TokenPlace> places;
        const std::string_view blanks = " \t\n";
        for (std::size_t at = text.find_first_not_of(blanks); at != std::string::npos;) {
            const std::size_t end = std::min(text.find_first_of(blanks, at), text.size());
            places.push_back({static_cast<std::int64_t>(at), static_cast<std::int64_t>(end)});
            at = text.find_first_not_of(blanks, end);
        }
        return places;
    }

    std::int64_t embedded = 0;  // texts so far
    std::function<void()> after_batch;

  private:
    std::string name_;
};

}  // namespace temper::testing
