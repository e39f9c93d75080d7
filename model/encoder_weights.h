// An encoder's weights under the names of its family, with or without the prefix of a larger model ("bert."), found and checked before any is read.
#pragma once
#include <string>
#include <vector>

#include "io/tensors/tensor_source.h"
#include "model/encoder_config.h"

namespace temper {

struct EncoderLayerNames {
    std::string query, key, value, output, output_norm, up, down, norm;
};
struct EncoderNames {
    std::string word, position, type, norm;  // type: empty where there are none
    std::string relative;                    // the table of biases by distance; empty where there is none
    std::vector<EncoderLayerNames> layers;
    std::string head, classifier;  // of a classifier: "pooler.dense" and "classifier" of BERT; empty without labels
};

class EncoderWeights {
  public:
    // bad_data names a tensor that is missing, has another shape, or belongs to nothing that is computed.
    EncoderWeights(const TensorSource& source, const EncoderConfig& config);

    const EncoderNames& names() const { return names_; }
    // name + ".weight" or ".bias"; ".gamma" and ".beta" are older words for them.
    void read_weight(const std::string& name, View to) const { source_.read(stored(name, ".weight"), to); }
    void read_bias(const std::string& name, View to) const { source_.read(stored(name, ".bias"), to); }

  private:
    std::string stored(const std::string& name, const char* part) const;
    void expect(const std::string& name, const char* part, std::vector<std::int64_t> shape);
    void expect_linear(const std::string& name, std::int64_t out, std::int64_t in);
    void expect_norm(const std::string& name, std::int64_t size);
    void refuse_others() const;

    const TensorSource& source_;
    std::string family_;
    EncoderNames names_;
    std::vector<std::string> known_;
};

}  // namespace temper
