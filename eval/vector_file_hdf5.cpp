#include "eval/vector_file.h"
#include "io/hdf5/hdf5_handle.h"
#include "io/staged_output.h"
#include "kernels/error.h"

namespace temper {
namespace {

class Hdf5Vectors final : public VectorFile {
  public:
    Hdf5Vectors(const std::filesystem::path& path, const VectorFileSettings& settings)
        : settings_(settings),
          name_(path.string()),
          staged_(path),
          file_(create()),
          element_(element_type(settings.type)),
          text_(text_type()),
          embeddings_(dataset("embeddings", element_.id(), {settings.rows, settings.dimensions})),
          ids_(dataset("ids", text_.id(), {settings.rows})) {
        for (const auto& [key, value] : settings_.texts) attribute(key, value);
        for (const auto& [key, value] : settings_.integers) attribute(key, value);
    }

    void append(std::string_view vectors, const std::vector<std::string>& ids) override {
        const Hdf5Quiet quiet;
        std::vector<const char*> texts;
        for (const std::string& id : ids) texts.push_back(id.c_str());
        const auto count = static_cast<std::int64_t>(ids.size());
        write(embeddings_.id(), element_.id(), {count, settings_.dimensions}, vectors.data(), "embeddings");
        write(ids_.id(), text_.id(), {count}, texts.data(), "ids");
        at_ += count;
    }

    void commit() override {
        const Hdf5Quiet quiet;
        if (at_ != settings_.rows) throw_error(ExitCode::internal, "{}: {} of {} rows are written", name_, at_, settings_.rows);
        for (Hdf5Handle* handle : {&ids_, &embeddings_, &file_}) check(handle->end(), "close", "the file");
        staged_.commit();
    }

  private:
    void check(std::int64_t status, const char* what, const std::string& of) const {
        if (status < 0) throw_error(ExitCode::io_error, "{}: HDF5: {} of {}: {}", name_, what, of, hdf5_reason());
    }
    hid_t made(hid_t id, const char* what, const std::string& of) const {
        check(id, what, of);
        return id;
    }
    Hdf5Handle without_times(hid_t kind) const {
        Hdf5Handle properties(made(H5Pcreate(kind), "properties", "the file"), H5Pclose);
        check(H5Pset_obj_track_times(properties.id(), false), "times", "the file");
        return properties;
    }
    Hdf5Handle create() const {
        const Hdf5Quiet quiet;
        const Hdf5Handle creation = without_times(H5P_FILE_CREATE), access(made(H5Pcreate(H5P_FILE_ACCESS), "access", "the file"), H5Pclose);
        check(H5Pset_libver_bounds(access.id(), H5F_LIBVER_V18, H5F_LIBVER_V18), "version", "the file");
        return {made(H5Fcreate(staged_.path().c_str(), H5F_ACC_TRUNC, creation.id(), access.id()), "creation", "the file"), H5Fclose};
    }
    // float16 as NumPy has it: 10 bits of fraction, 5 of exponent.
    Hdf5Handle element_type(VectorType type) const {
        Hdf5Handle element(made(H5Tcopy(H5T_IEEE_F32LE), "type", "embeddings"), H5Tclose);
        if (type == VectorType::float32) return element;
        check(H5Tset_fields(element.id(), 15, 10, 5, 0, 10), "fields", "float16");
        check(H5Tset_size(element.id(), 2), "size", "float16");
        check(H5Tset_ebias(element.id(), 15), "bias", "float16");
        return element;
    }
    Hdf5Handle text_type() const {
        Hdf5Handle type(made(H5Tcopy(H5T_C_S1), "type", "ids"), H5Tclose);
        check(H5Tset_size(type.id(), H5T_VARIABLE), "size", "ids");
        check(H5Tset_cset(type.id(), H5T_CSET_UTF8), "character set", "ids");
        return type;
    }
    Hdf5Handle dataset(const char* name, hid_t type, const std::vector<std::int64_t>& shape) const {
        const Hdf5Quiet quiet;
        const std::vector<hsize_t> sizes(shape.begin(), shape.end());
        const Hdf5Handle space(made(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), "space", name), H5Sclose);
        const Hdf5Handle creation = without_times(H5P_DATASET_CREATE);
        check(H5Pset_layout(creation.id(), H5D_CONTIGUOUS), "layout", name);
        check(H5Pset_alloc_time(creation.id(), H5D_ALLOC_TIME_EARLY), "place", name);
        check(H5Pset_fill_time(creation.id(), std::string_view(name) == "ids" ? H5D_FILL_TIME_ALLOC : H5D_FILL_TIME_NEVER), "fill", name);
        return {made(H5Dcreate2(file_.id(), name, type, space.id(), H5P_DEFAULT, creation.id(), H5P_DEFAULT), "dataset", name), H5Dclose};
    }
    void write(hid_t data, hid_t type, const std::vector<std::int64_t>& shape, const void* values, const char* name) const {
        const std::vector<hsize_t> count(shape.begin(), shape.end());
        std::vector<hsize_t> start(shape.size(), 0);
        start[0] = static_cast<hsize_t>(at_);
        const Hdf5Handle space(made(H5Dget_space(data), "space", name), H5Sclose);
        const Hdf5Handle memory(made(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), "space", name), H5Sclose);
        check(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), "rows", name);
        check(H5Dwrite(data, type, memory.id(), space.id(), H5P_DEFAULT, values), "rows", name);
    }
    void attribute(const std::string& name, const std::string& text) const {
        const Hdf5Quiet quiet;
        const Hdf5Handle type = text_type(), space(made(H5Screate(H5S_SCALAR), "space", name), H5Sclose);
        const Hdf5Handle made_attribute(
            made(H5Acreate2(file_.id(), name.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), "attribute", name), H5Aclose);
        const char* const value = text.c_str();
        check(H5Awrite(made_attribute.id(), type.id(), &value), "attribute", name);
    }
    void attribute(const std::string& name, std::int64_t value) const {
        const Hdf5Quiet quiet;
        const Hdf5Handle space(made(H5Screate(H5S_SCALAR), "space", name), H5Sclose);
        const Hdf5Handle made_attribute(
            made(H5Acreate2(file_.id(), name.c_str(), H5T_STD_I64LE, space.id(), H5P_DEFAULT, H5P_DEFAULT), "attribute", name), H5Aclose);
        check(H5Awrite(made_attribute.id(), H5T_NATIVE_INT64, &value), "attribute", name);
    }

    VectorFileSettings settings_;
    std::string name_;
    StagedOutput staged_;
    Hdf5Handle file_, element_, text_, embeddings_, ids_;
    std::int64_t at_ = 0;
};

}  // namespace

std::unique_ptr<VectorFile> create_hdf5_vectors(const std::filesystem::path& path, const VectorFileSettings& settings) {
    return std::make_unique<Hdf5Vectors>(path, settings);
}

}  // namespace temper
