#include <algorithm>
#include <unordered_map>

#include "io/durable.h"
#include "io/input_file.h"
#include "io/jsonl.h"
#include "io/tensors/safetensors_header.h"
#include "io/tensors/tensor_decode.h"
#include "io/tensors/tensor_source.h"

namespace temper {

namespace fs = std::filesystem;

namespace {

class SafetensorsFile : public TensorSource {
  public:
    explicit SafetensorsFile(const fs::path& path) : file_(path) {
        const std::string first = file_.read_at(0, std::min<std::uint64_t>(8, file_.size()));
        const std::uint64_t length = parse_safetensors_length(first, file_.size(), path.string());
        entries_ = parse_safetensors_header(file_.read_at(8, length), file_.size(), path.string()).entries;
        for (std::size_t i = 0; i < entries_.size(); ++i) index_[entries_[i].info.name] = i;
    }

    std::vector<std::string> names() const override {
        std::vector<std::string> names;
        for (const SafetensorsEntry& entry : entries_) names.push_back(entry.info.name);
        std::sort(names.begin(), names.end());
        return names;
    }

    const TensorInfo* find(const std::string& name) const override {
        const auto found = index_.find(name);
        return found == index_.end() ? nullptr : &entries_[found->second].info;
    }

    void read(const std::string& name, View destination) const override {
        const auto found = index_.find(name);
        if (found == index_.end()) throw_error(ExitCode::missing_input, "{}: no tensor {}", describe(), name);
        const SafetensorsEntry& entry = entries_[found->second];
        check_destination(describe(), entry.info, destination);
        const std::string& dtype = entry.info.dtype;
        const Encoding* encoding = dtype == "F32" ? &encoding_f32 : dtype == "F16" ? &encoding_f16 : dtype == "BF16" ? &encoding_bf16 : nullptr;
        if (encoding == nullptr) throw_error(ExitCode::bad_data, "{}: tensor {} is stored as {}, expected F32, F16 or BF16", describe(), name, dtype);
        decode_tensor(file_, entry.begin, *encoding, destination);
    }

    std::string describe() const override { return file_.path().string(); }
    std::vector<std::uint8_t> read_bytes(const std::string& name, std::uint64_t limit) const override {
        const auto found = index_.find(name);
        if (found == index_.end()) throw_error(ExitCode::missing_input, "{}: no tensor {}", describe(), name);
        const SafetensorsEntry& entry = entries_[found->second];
        if (entry.bytes > limit)
            throw_error(ExitCode::bad_data, "{}: tensor {} has {} bytes, expected at most {}", describe(), name, entry.bytes, limit);
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(entry.bytes));
        file_.read_at(entry.begin, bytes.data(), bytes.size());
        return bytes;
    }

  private:
    InputFile file_;
    std::vector<SafetensorsEntry> entries_;
    std::unordered_map<std::string, std::size_t> index_;
};

// A shard lies beside its index: a plain name, nothing that leads elsewhere.
bool is_plain_name(const std::string& name) {
    const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
    return !name.empty() && name.size() <= 128 && plain(name[0]) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

// The shards that an index names, opened; weight_map says which holds a tensor.
class ShardedSafetensors : public TensorSource {
  public:
    explicit ShardedSafetensors(const fs::path& index) : index_(index) {
        const Json root = parse_json(read_file(index), index.string(), {safetensors_header_limit, 8});
        if (!root.is_object() || !root.contains("weight_map") || !root["weight_map"].is_object())
            throw_error(ExitCode::bad_data, "{}: expected an object with an object \"weight_map\"", index.string());
        for (const auto& [tensor, file] : root["weight_map"].items()) {
            if (!file.is_string() || !is_plain_name(file.get_ref<const std::string&>()))
                throw_error(ExitCode::bad_data, "{}: weight_map: tensor \"{}\" lies in {}, expected the plain name of a file", index.string(), tensor,
                            file.dump());
            shard_of_[tensor] = file.get<std::string>();
        }
        open_shards();
    }

    std::vector<std::string> names() const override {
        std::vector<std::string> names;
        for (const auto& [tensor, file] : shard_of_) names.push_back(tensor);
        return names;
    }
    const TensorInfo* find(const std::string& name) const override {
        const auto found = shard_of_.find(name);
        return found == shard_of_.end() ? nullptr : shards_.at(found->second)->find(name);
    }
    void read(const std::string& name, View destination) const override {
        const auto found = shard_of_.find(name);
        if (found == shard_of_.end()) throw_error(ExitCode::missing_input, "{}: no tensor {}", describe(), name);
        shards_.at(found->second)->read(name, destination);
    }
    std::string describe() const override { return index_.string(); }
    std::vector<std::uint8_t> read_bytes(const std::string& name, std::uint64_t limit) const override {
        const auto found = shard_of_.find(name);
        if (found == shard_of_.end()) throw_error(ExitCode::missing_input, "{}: no tensor {}", describe(), name);
        return shards_.at(found->second)->read_bytes(name, limit);
    }

  private:
    // Every missing file is named at once, so that one download repairs them all.
    void open_shards() {
        std::map<std::string, std::size_t> tensors_in;
        for (const auto& [tensor, file] : shard_of_) ++tensors_in[file];
        std::vector<std::string> missing;
        for (const auto& [file, count] : tensors_in)
            if (!fs::exists(index_.parent_path() / file)) missing.push_back(file);
        if (!missing.empty())
            throw_error(ExitCode::missing_input, "{}: {} of {} shards are missing: {}", index_.string(), missing.size(), tensors_in.size(),
                        fmt::join(missing, ", "));
        for (const auto& [file, count] : tensors_in) shards_[file] = std::make_unique<SafetensorsFile>(index_.parent_path() / file);
        for (const auto& [tensor, file] : shard_of_)
            if (shards_[file]->find(tensor) == nullptr)
                throw_error(ExitCode::bad_data, "{}: tensor {} is missing; {} places it there", shards_[file]->describe(), tensor,
                            index_.filename().string());
    }

    fs::path index_;
    std::map<std::string, std::string> shard_of_;  // by tensor
    std::map<std::string, std::unique_ptr<SafetensorsFile>> shards_;
};

}  // namespace

std::unique_ptr<TensorSource> open_safetensors(const fs::path& path) {
    if (!fs::is_directory(path)) return std::make_unique<SafetensorsFile>(path);
    if (fs::exists(path / "model.safetensors")) return std::make_unique<SafetensorsFile>(path / "model.safetensors");
    const fs::path index = path / "model.safetensors.index.json";
    if (fs::exists(index)) return std::make_unique<ShardedSafetensors>(index);
    throw_error(ExitCode::missing_input, "{}: neither model.safetensors nor model.safetensors.index.json is there", path.string());
}

}  // namespace temper
