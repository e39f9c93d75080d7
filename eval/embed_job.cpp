#include "eval/embed_job.h"

#include <cmath>
#include <cstring>

#include "eval/row_job.h"
#include "eval/vector_file.h"
#include "io/comm/algorithms.h"
#include "io/durable.h"
#include "io/log.h"
#include "io/machine.h"
#include "kernels/encoding.h"
#include "kernels/error.h"
#include "model/algorithms.h"
#include "model/embedding_model.h"
#include "model/model_passes.h"
#include "runs/stop_signal.h"

namespace temper {
namespace {

constexpr std::int64_t format_version = 1, block_rows = 4096, bytes_a_token = 6;

EmbeddingModel::Options model_options(const EmbedOptions& options) {
    EmbeddingModel::Options result;
    result.dtype = options.dtype == "bfloat16" ? DType::bf16 : DType::f32;
    if ((options.dtype == "int8") != !options.int8_scales.empty())
        throw_error(ExitCode::usage, "embed: --dtype int8 goes with --int8-scales FILE, which `temper calibrate` makes");
    if (!options.int8_scales.empty()) result.int8 = read_int8_scales(options.int8_scales);
    result.dimensions = options.dimensions;
    result.max_length = options.max_length;
    if (options.normalize != "auto") result.normalize = options.normalize == "yes" ? EmbeddingModel::Normalize::yes : EmbeddingModel::Normalize::no;
    if (!options.pooling.empty()) result.pooling = parse_pooling(options.pooling, "--pooling", ExitCode::usage);
    return result;
}

// The id of a row as text: a text or a whole number of its own, else the row's number. HDF5 and C end a text at its first NUL.
std::string id_of(const RowPieces::Row& row, const std::string& field, std::int64_t number) {
    const auto id = row.fields.find(field);
    if (id == row.fields.end() || id->is_null()) return std::to_string(number);
    if (id->is_string()) {
        if (id->get_ref<const std::string&>().find('\0') != std::string::npos)
            throw_error(ExitCode::bad_data, "{}: field \"{}\" holds a NUL character, which no id may: leave it out", row.place, field);
        return id->get<std::string>();
    }
    if (id->is_number_integer()) return id->dump();
    throw_error(ExitCode::bad_data, "{}: field \"{}\" is {}, expected text or a whole number", row.place, field, id->type_name());
}

class EmbedWork final : public RowWork {
  public:
    EmbedWork(const EmbedOptions& options, Stream& stream, Comm& comm)
        : options_(options),
          stream_(stream),
          model_(stream, options.model, model_options(options)),
          prompt_(options.prompt ? *options.prompt : model_.prompt(options.prompt_name)),
          skipped_(model_.skipped_tokens(prompt_)),
          type_(options.output_dtype == "float16" ? VectorType::float16 : VectorType::float32) {
        follow_rank_0(stream, comm, [&] { return chosen_algorithms_of(model_, stream); });
    }

    std::int64_t width() const override { return model_.dimensions() * size_of(type_); }
    std::int64_t most_bytes() const override { return bytes_a_token * model_.texts().limit(); }
    std::string text_field() const override { return options_.field; }

    Json settings() const override {
        Json config{{"model", options_.model}, {"input", options_.input}, {"output", options_.output}, {"field", options_.field}};
        config["id_field"] = options_.id_field;
        config["dtype"] = options_.dtype;
        if (model_.int8()) config["int8_scales"] = options_.int8_scales;
        config["output_dtype"] = options_.output_dtype;
        config["format"] = options_.format;
        config["pooling"] = model_.pooling();
        config["normalized"] = model_.normalized();
        config["dimensions"] = model_.dimensions();
        config["max_length"] = model_.texts().limit();
        config["prompt"] = prompt_;
        return config;
    }

    std::string identity() const override {
        return fmt::format("{}\nfields {} {}\nprompt {}\nas {} {}", model_.identity(), options_.field, options_.id_field, prompt_,
                           options_.output_dtype, options_.format);
    }

    Workers begin() override {
        passes_.emplace(model_, stream_, options_.batch_tokens);
        Workers workers;
        workers.threads = passes_->threads();
        // Where a model has one stream, other threads make tokens meanwhile.
        if (passes_->threads() == 1 && stream_.threads() > 1) workers.threads = stream_.threads();
        if (passes_->batch_tokens() > 2048) workers.piece = {2048, std::size_t(1) << 19, std::size_t(1) << 16};
        return workers;
    }

    void make(RowPieces::Piece& rows, PartRows& results) const override {
        TokenRows tokens;
        std::vector<std::string> ids;
        for (RowPieces::Row& row : rows.rows) {
            ids.push_back(id_of(row, options_.id_field, rows.first + static_cast<std::int64_t>(ids.size())));
            results.totals.cut +=
                model_.texts().add(prompt_ + temper::text_field(row.fields, options_.field, row.place, "--field"), tokens, skipped_) ? 1 : 0;
            if (tokens.length(tokens.size() - 1) == 0) throw_error(ExitCode::bad_data, "{}: the text has no token, and so no vector", row.place);
            row.fields = Json();
        }
        results.totals.tokens = static_cast<std::int64_t>(tokens.ids.size());
        std::vector<float> vectors(tokens.size() * static_cast<std::size_t>(model_.dimensions()));
        passes_->run(tokens, vectors.data());
        for (std::size_t i = 0; i < vectors.size(); ++i)
            if (!std::isfinite(vectors[i]))
                throw_error(ExitCode::non_finite, "{}: the vector is not finite: the weights are damaged, or {} is too narrow for this model",
                            rows.rows[i / static_cast<std::size_t>(model_.dimensions())].place, options_.dtype);
        const std::string bytes = stored(vectors);
        const auto size = static_cast<std::size_t>(width());
        for (std::size_t i = 0; i < ids.size(); ++i) results.add(std::string_view(bytes).substr(i * size, size), ids[i]);
    }

    Json assemble(const std::vector<PartInfo>& parts, const Input& input) override {
        const VectorFileSettings settings = file_settings(input);
        const auto file = options_.format == "npy" ? create_npy_vectors(options_.output, settings) : create_hdf5_vectors(options_.output, settings);
        const PartTotals totals = read_parts(parts, width(), input.rows, block_rows, [&](const PartRows& rows) {
            std::vector<std::string> ids;
            for (std::int64_t i = 0; i < rows.rows(); ++i) ids.emplace_back(rows.text(i));
            file->append(rows.fixed, ids);
        });
        file->commit();
        if (totals.cut > 0)
            console().line(
                fmt::format("temper: embed: {} of {} texts have more than {} tokens and were cut", totals.cut, input.rows, model_.texts().limit()));
        return {{"rows", input.rows}, {"tokens", totals.tokens}, {"texts_cut", totals.cut}, {"dimensions", model_.dimensions()}};
    }

  private:
    // Vectors as the output has them.
    std::string stored(const std::vector<float>& vectors) const {
        std::string bytes(vectors.size() * static_cast<std::size_t>(size_of(type_)), '\0');
        if (type_ == VectorType::float32) {
            std::memcpy(bytes.data(), vectors.data(), bytes.size());
            return bytes;
        }
        for (std::size_t i = 0; i < vectors.size(); ++i) {
            const std::uint16_t half = to_f16(vectors[i]);
            std::memcpy(bytes.data() + i * sizeof half, &half, sizeof half);
        }
        return bytes;
    }

    VectorFileSettings file_settings(const Input& input) const {
        std::filesystem::path model = std::filesystem::path(options_.model).lexically_normal();
        if (!model.has_filename()) model = model.parent_path();
        VectorFileSettings file;
        file.rows = input.rows;
        file.dimensions = model_.dimensions();
        file.type = type_;
        file.texts = {{"model", model.filename().string()},
                      {"model_sha256", model_.model_sha256()},
                      {"pooling", model_.pooling()},
                      {"prompt", prompt_},
                      {"dtype", options_.dtype},
                      {"input_sha256", input.sha256}};
        if (model_.int8()) file.texts.push_back({"int8_scales_sha256", model_.int8()->identity()});
        file.integers = {{"format_version", format_version},
                         {"normalized", model_.normalized() ? 1 : 0},
                         {"dimensions", model_.dimensions()},
                         {"max_length", model_.texts().limit()}};
        return file;
    }

    const EmbedOptions& options_;
    Stream& stream_;
    EmbeddingModel model_;
    std::string prompt_;
    std::int32_t skipped_;
    VectorType type_;
    mutable std::optional<ModelPasses<EmbeddingModel>> passes_;
};

}  // namespace

int run_embed_job(const EmbedOptions& options) {
    install_stop_signals();  // first: starting MPI takes seconds on a cluster
    const std::unique_ptr<Comm> comm = start_comm(job_patience_seconds);
    return run_on_ranks(*comm, options.json, [&] {
        Stream stream = open_stream(options.device, local_rank(), resolve_threads(options.threads), parse_isa(options.isa));
        EmbedWork work(options, stream, *comm);
        return run_row_job("embed", options, {options.input, options.output}, *comm, stream, work);
    });
}

}  // namespace temper
