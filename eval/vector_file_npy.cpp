// The .npy format, version 1.0: magic, length of the header, a Python dictionary padded to 64 bytes, the numbers.
#include <cstring>
#include <fstream>

#include "eval/vector_file.h"
#include "io/json_text.h"
#include "io/jsonl.h"
#include "io/staged_output.h"
#include "kernels/error.h"

namespace temper {
namespace {

class StagedStream {
  public:
    explicit StagedStream(const std::filesystem::path& path) : name_(path.string()), staged_(path), stream_(staged_.path(), std::ios::binary) {}
    void write(std::string_view bytes) {
        stream_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        check();
    }
    void commit() {
        stream_.close();
        check();
        staged_.commit();
    }

  private:
    void check() const {
        if (!stream_) throw_error(ExitCode::io_error, "{}: cannot be written: {}", name_, std::strerror(errno));
    }
    std::string name_;
    StagedOutput staged_;
    std::ofstream stream_;
};

class NpyVectors final : public VectorFile {
  public:
    NpyVectors(const std::filesystem::path& path, const VectorFileSettings& settings) : vectors_(path), ids_(path.string() + ".ids.jsonl") {
        std::string header = fmt::format("{{'descr': '<f{}', 'fortran_order': False, 'shape': ({}, {}), }}", size_of(settings.type), settings.rows,
                                         settings.dimensions);
        constexpr std::size_t before = 10, alignment = 64;
        header.resize((before + header.size() + 1 + alignment - 1) / alignment * alignment - before - 1, ' ');
        header += '\n';
        std::string opening("\x93NUMPY\x01\x00", 8);
        opening += static_cast<char>(header.size() & 0xff);
        opening += static_cast<char>(header.size() >> 8);
        vectors_.write(opening + header);
    }
    void append(std::string_view vectors, const std::vector<std::string>& ids) override {
        vectors_.write(vectors);
        std::string lines;
        for (const std::string& id : ids) lines += json_text(Json(id)) + "\n";
        ids_.write(lines);
    }
    // The ids first: where there are vectors, their ids are there, too.
    void commit() override {
        ids_.commit();
        vectors_.commit();
    }

  private:
    StagedStream vectors_, ids_;
};

}  // namespace

std::unique_ptr<VectorFile> create_npy_vectors(const std::filesystem::path& path, const VectorFileSettings& settings) {
    return std::make_unique<NpyVectors>(path, settings);
}

}  // namespace temper
