// Scaled dot-product attention by cuDNN's graphs, through its header-only frontend: bfloat16, causal documents laid end to end, grouped heads, and a
// backward pass whose sums have one order. Tokens stay where they lie: a document is a batch entry whose first number is at a ragged offset.
// A graph is built once for a number of documents and a longest one, both rounded up; the documents that are too many are empty.
// What cuDNN makes of a shape is its own choice, by version and device: bits are the same on every run, not in every company.
#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <vector>

#define CUDNN_FRONTEND_SKIP_JSON_LIB
#include <cudnn_frontend.h>

#include "kernels/cuda/attention_cudnn.h"
#include "kernels/cuda/runtime.h"
#include "kernels/error.h"

namespace temper::cuda {
namespace {

namespace fe = cudnn_frontend::graph;
using Tensor = std::shared_ptr<fe::Tensor_attributes>;
using Pack = std::unordered_map<std::int64_t, void*>;

// Places in a graph's pack. A ragged offset stands behind its tensor.
enum Uid : std::int64_t { kQ = 1, kK, kV, kOut, kLse, kDOut, kDQ, kDK, kDV, kLengths, kOffsets = 100 };

std::int64_t next_power(std::int64_t least, std::int64_t n) {
    while (least < n) least *= 2;
    return least;
}

// What decides a graph. Row strides of the tensors that it has, by their places.
struct Shape {
    bool backward = false, keeps_lse = false;
    std::int64_t documents = 0, longest = 0, heads = 0, kv_heads = 0, d = 0;
    float scale = 0.0f;
    std::vector<std::pair<std::int64_t, std::int64_t>> strides;
    auto fields() const { return std::tie(backward, keeps_lse, documents, longest, heads, kv_heads, d, scale, strides); }
    bool operator<(const Shape& other) const { return fields() < other.fields(); }
};

struct Built {
    std::unique_ptr<fe::Graph> graph;  // null: cuDNN has none
    std::int64_t workspace = 0;
};

class Builder {
  public:
    explicit Builder(const Shape& shape) : shape_(shape), graph_(std::make_unique<fe::Graph>()) {
        graph_->set_io_data_type(cudnn_frontend::DataType_t::BFLOAT16)
            .set_intermediate_data_type(cudnn_frontend::DataType_t::FLOAT)
            .set_compute_data_type(cudnn_frontend::DataType_t::FLOAT);
    }

    Built build(cudnnHandle_t handle) {
        shape_.backward ? add_backward() : add_forward();
        Built built;
        if (!graph_->build(handle, {cudnn_frontend::HeurMode_t::A}).is_good()) return built;
        if (!graph_->get_workspace_size(built.workspace).is_good()) return built;
        built.graph = std::move(graph_);
        return built;
    }

  private:
    Tensor integers(std::int64_t uid, std::int64_t count) {
        return graph_->tensor(
            fe::Tensor_attributes().set_uid(uid).set_dim({count, 1, 1, 1}).set_stride({1, 1, 1, 1}).set_data_type(cudnn_frontend::DataType_t::INT32));
    }
    Tensor offsets(std::int64_t uid) { return integers(kOffsets + uid, shape_.documents + 1); }
    std::int64_t stride_of(std::int64_t uid) const {
        for (const auto& [place, stride] : shape_.strides)
            if (place == uid) return stride;
        return 0;
    }
    // (documents, heads, longest, width), rows `stride` apart.
    void lay_out(fe::Tensor_attributes& tensor, std::int64_t uid, std::int64_t heads, std::int64_t width) {
        const std::int64_t stride = stride_of(uid);
        tensor.set_uid(uid).set_dim({shape_.documents, heads, shape_.longest, width}).set_stride({shape_.longest * stride, width, stride, 1});
        tensor.set_ragged_offset(offsets(uid));
        tensor.set_data_type(uid == kLse ? cudnn_frontend::DataType_t::FLOAT : cudnn_frontend::DataType_t::BFLOAT16);
    }
    Tensor input(std::int64_t uid, std::int64_t heads, std::int64_t width) {
        fe::Tensor_attributes tensor;
        lay_out(tensor, uid, heads, width);
        return graph_->tensor(tensor);
    }
    void output(const Tensor& tensor, std::int64_t uid, std::int64_t heads, std::int64_t width) {
        lay_out(*tensor, uid, heads, width);
        tensor->set_output(true);
    }
    template <class Attributes> Attributes documents(const char* name) {
        const Tensor lengths = integers(kLengths, shape_.documents);
        Attributes attributes;
        attributes.set_name(name).set_attn_scale(shape_.scale).set_causal_mask(true).set_padding_mask(true);
        attributes.set_seq_len_q(lengths).set_seq_len_kv(lengths);
        return attributes;
    }

    void add_forward() {
        const auto& [heads, kv_heads, d] = std::tie(shape_.heads, shape_.kv_heads, shape_.d);
        auto attributes = documents<fe::SDPA_attributes>("attention");
        attributes.set_generate_stats(shape_.keeps_lse);
        const auto [out, lse] = graph_->sdpa(input(kQ, heads, d), input(kK, kv_heads, d), input(kV, kv_heads, d), attributes);
        output(out, kOut, heads, d);
        if (shape_.keeps_lse) output(lse, kLse, heads, 1);
    }
    void add_backward() {
        const auto& [heads, kv_heads, d] = std::tie(shape_.heads, shape_.kv_heads, shape_.d);
        auto attributes = documents<fe::SDPA_backward_attributes>("attention_backward");
        attributes.set_deterministic_algorithm(true);
        const auto [d_q, d_k, d_v] = graph_->sdpa_backward(input(kQ, heads, d), input(kK, kv_heads, d), input(kV, kv_heads, d), input(kOut, heads, d),
                                                           input(kDOut, heads, d), input(kLse, heads, 1), attributes);
        output(d_q, kDQ, heads, d);
        output(d_k, kDK, kv_heads, d);
        output(d_v, kDV, kv_heads, d);
    }

    const Shape& shape_;
    std::unique_ptr<fe::Graph> graph_;
};

void check(cudnnStatus_t status, const char* call) {
    if (status != CUDNN_STATUS_SUCCESS) throw_error(ExitCode::internal, "CUDA: {}: {}", call, cudnnGetErrorString(status));
}

// Of the process's one device. Graphs are few: their sizes are powers of two.
struct Library {
    cudnnHandle_t handle = nullptr;
    std::map<Shape, Built> graphs;
    Library() { check(cudnnCreate(&handle), "cudnnCreate"); }
};

Library& library() {
    static Library* const one = new Library;  // the driver may be gone when statics are destroyed
    return *one;
}

bool takes(const Stream& stream, const View& q, const View& k, Span<const Segment> segments, const AttentionRule& rule) {
    const int major = stream.cuda().device().major;  // 8 and 12 have no ordered sums for ragged documents
    if (cudnnGetVersion() < 90600) return false;     // ragged sums of the softmax               [Transformer Engine, fused attention, asks for 9.6]
    if (q.dtype != DType::bf16 || q.size(2) % 8 != 0 || q.size(2) > 128 || (major != 9 && major != 10)) return false;
    if (!rule.causal || rule.window != 0 || rule.softcap != 0.0f || q.size(0) != k.size(0)) return false;
    std::int64_t end = 0;
    for (const Segment& s : segments) {
        if (s.begin != end || s.key_begin != s.begin || s.prefix_length != 0 || s.length == 0) return false;
        end += s.length;
    }
    return end == q.size(0);
}

class Pass {
  public:
    Pass(Stream& stream, Span<const Segment> segments, const View& q, const View& k, float scale) : stream_(stream), segments_(segments) {
        shape_.heads = q.size(1), shape_.kv_heads = k.size(1), shape_.d = q.size(2), shape_.scale = scale;
        shape_.documents = next_power(1, static_cast<std::int64_t>(segments.size()));
        for (const Segment& s : segments) shape_.longest = std::max(shape_.longest, s.length);
        shape_.longest = next_power(128, shape_.longest);
    }
    void add(std::int64_t uid, const View& view) {
        shape_.strides.emplace_back(uid, view.stride[0]);
        pack_[uid] = view.data;
    }
    Shape& shape() { return shape_; }

    bool run() {
        Library& cudnn = library();
        check(cudnnSetStream(cudnn.handle, static_cast<cudaStream_t>(stream_.cuda().queue())), "cudnnSetStream");
        const auto found = cudnn.graphs.find(shape_);
        const Built& built =
            found != cudnn.graphs.end() ? found->second : cudnn.graphs.emplace(shape_, Builder(shape_).build(cudnn.handle)).first->second;
        // The deterministic backward pass may want room for every pair of tokens: more than the memory plan has is not taken.
        if (built.graph == nullptr || static_cast<std::size_t>(built.workspace) > std::max(stream_.scratch_bytes(), AttentionRule::library_scratch))
            return false;
        stream_.cuda().spill();  // what cuDNN launches is not recorded
        if (!upload_places()) return false;
        void* const workspace = built.workspace == 0 ? nullptr : stream_.scratch(static_cast<std::size_t>(built.workspace));
        auto done = built.graph->execute(cudnn.handle, pack_, workspace);
        if (!done.is_good()) throw_error(ExitCode::internal, "CUDA: cuDNN's attention: {}; take attention: own", done.get_message());
        return true;
    }

  private:
    // Lengths, and for each tensor where its documents begin; empty documents stand at the end. False where 32 bits do not do.
    bool upload_places() {
        const auto count = static_cast<std::size_t>(shape_.documents);
        std::vector<std::int32_t> numbers(count, 0);
        for (std::size_t i = 0; i < segments_.size(); ++i) numbers[i] = static_cast<std::int32_t>(segments_[i].length);
        pack_[kLengths] = table(numbers);
        const std::int64_t tokens = segments_[segments_.size() - 1].begin + segments_[segments_.size() - 1].length;
        numbers.resize(count + 1);
        for (const auto& [uid, stride] : shape_.strides) {
            if (tokens * stride > std::numeric_limits<std::int32_t>::max()) return false;
            for (std::size_t i = 0; i <= count; ++i)
                numbers[i] = static_cast<std::int32_t>((i < segments_.size() ? segments_[i].begin : tokens) * stride);
            pack_[kOffsets + uid] = table(numbers);
        }
        return true;
    }
    void* table(const std::vector<std::int32_t>& numbers) {
        return const_cast<void*>(stream_.cuda().upload(numbers.data(), numbers.size() * sizeof(std::int32_t)));
    }

    Stream& stream_;
    Span<const Segment> segments_;
    Shape shape_;
    Pack pack_;
};

LibraryPasses passes;

bool counted(bool taken) {
    ++(taken ? passes.taken : passes.left);
    return taken;
}

}  // namespace

bool cudnn_attention(Stream& stream, View out, View lse, View q, View k, View v, Span<const Segment> segments, const AttentionRule& rule) {
    if (!takes(stream, q, k, segments, rule)) return counted(false);
    Pass pass(stream, segments, q, k, rule.scale);
    pass.add(kQ, q), pass.add(kK, k), pass.add(kV, v), pass.add(kOut, out);
    pass.shape().keeps_lse = !lse.empty();
    if (!lse.empty()) pass.add(kLse, lse);
    return counted(pass.run());
}

bool cudnn_attention_backward(Stream& stream, View d_q, View d_k, View d_v, View d_out, View out, View lse, View q, View k, View v,
                              Span<const Segment> segments, const AttentionRule& rule) {
    if (!takes(stream, q, k, segments, rule)) return counted(false);
    Pass pass(stream, segments, q, k, rule.scale);
    pass.shape().backward = true;
    pass.add(kQ, q), pass.add(kK, k), pass.add(kV, v), pass.add(kOut, out), pass.add(kLse, lse), pass.add(kDOut, d_out);
    pass.add(kDQ, d_q), pass.add(kDK, d_k), pass.add(kDV, d_v);
    return counted(pass.run());
}

LibraryPasses library_passes() { return passes; }
std::string cudnn_version() {
    const std::size_t version = cudnnGetVersion();  // 90100 is 9.1.0
    return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace temper::cuda
