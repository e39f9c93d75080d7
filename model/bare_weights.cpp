#include "model/bare_weights.h"

#include <map>

namespace temper {
namespace {

const std::string prefix = "model.", head = "lm_head.";

bool begins_with(const std::string& name, const std::string& begin) { return name.compare(0, begin.size(), begin) == 0; }

class BareWeights : public TensorSource {
  public:
    explicit BareWeights(std::unique_ptr<TensorSource> weights) : base_(std::move(weights)) {
        for (const std::string& stored : base_->names()) {
            TensorInfo info = *base_->find(stored);
            info.name = begins_with(stored, head) ? stored : prefix + stored;
            infos_.emplace(info.name, info);
        }
    }
    std::vector<std::string> names() const override {
        std::vector<std::string> names;
        for (const auto& [name, info] : infos_) names.push_back(name);
        return names;
    }
    const TensorInfo* find(const std::string& name) const override {
        const auto found = infos_.find(name);
        return found == infos_.end() ? nullptr : &found->second;
    }
    void read(const std::string& name, View destination) const override { base_->read(stored(name), destination); }
    std::vector<std::uint8_t> read_bytes(const std::string& name, std::uint64_t limit) const override {
        return base_->read_bytes(stored(name), limit);
    }
    std::string describe() const override { return base_->describe(); }

  private:
    static std::string stored(const std::string& name) { return begins_with(name, prefix) ? name.substr(prefix.size()) : name; }

    std::unique_ptr<TensorSource> base_;
    std::map<std::string, TensorInfo> infos_;
};

}  // namespace

bool is_bare(const TensorSource& weights) {
    return weights.find("embed_tokens.weight") != nullptr && weights.find("model.embed_tokens.weight") == nullptr;
}

std::unique_ptr<TensorSource> open_bare(std::unique_ptr<TensorSource> weights) { return std::make_unique<BareWeights>(std::move(weights)); }

}  // namespace temper
