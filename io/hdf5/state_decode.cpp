#include <optional>

#include "io/checked.h"
#include "io/hdf5/hdf5_handle.h"
#include "io/hdf5/state_file.h"
#include "kernels/error.h"

namespace temper {

namespace {

class StateReader {
  public:
    StateReader(std::string_view bytes, const std::string& name) : name_(name), size_(bytes.size()) {
        const Hdf5Handle access(found(H5Pcreate(H5P_FILE_ACCESS), "access"), H5Pclose);
        constexpr std::size_t growth = std::size_t(1) << 20;
        read_well(H5Pset_fapl_core(access.id(), growth, /*backing_store=*/false), "core driver");
        // The library copies the image and does not change ours.
        read_well(H5Pset_file_image(access.id(), const_cast<char*>(bytes.data()), bytes.size()), "image");
        file_.emplace(found(H5Fopen("state", H5F_ACC_RDONLY, access.id()), "it is not an HDF5 file, or not a whole one"), H5Fclose);
    }

    State read() {
        State state;
        const std::int64_t version = read_version();
        if (version != State::format_version)
            throw_error(ExitCode::bad_data, "{}: format_version {}, expected {}: written by another version of temper", name_, version,
                        State::format_version);
        read_texts(state);
        for (const std::string& object : objects()) read_object(state, object);
        return state;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const { throw_error(ExitCode::bad_data, "{}: {}", name_, what); }
    hid_t found(hid_t id, const std::string& what) const {
        if (id < 0) fail(fmt::format("{}: {}", what, hdf5_reason()));
        return id;
    }
    void read_well(herr_t status, const std::string& what) const {
        if (status < 0) fail(fmt::format("{}: {}", what, hdf5_reason()));
    }

    std::int64_t read_version() const {
        if (H5Aexists(file_->id(), state_version_attribute) <= 0) fail("no attribute format_version: it is not a state of temper");
        const Hdf5Handle attribute(found(H5Aopen(file_->id(), state_version_attribute, H5P_DEFAULT), "format_version"), H5Aclose);
        const Hdf5Handle type(found(H5Aget_type(attribute.id()), "format_version"), H5Tclose),
            space(found(H5Aget_space(attribute.id()), "format_version"), H5Sclose);
        if (H5Tequal(type.id(), H5T_STD_I64LE) <= 0 || H5Sget_simple_extent_npoints(space.id()) != 1) fail("format_version is not an int64");
        std::int64_t version = 0;
        read_well(H5Aread(attribute.id(), H5T_NATIVE_INT64, &version), "format_version");
        return version;
    }

    std::string read_text(hid_t object, const std::string& name) const {
        const Hdf5Handle attribute(found(H5Aopen(object, name.c_str(), H5P_DEFAULT), "attribute " + name), H5Aclose);
        const Hdf5Handle type(found(H5Aget_type(attribute.id()), "attribute " + name), H5Tclose),
            space(found(H5Aget_space(attribute.id()), "attribute " + name), H5Sclose);
        if (H5Tget_class(type.id()) != H5T_STRING || H5Tis_variable_str(type.id()) != 0 || H5Sget_simple_extent_npoints(space.id()) != 1)
            fail("attribute " + name + " is not a text of fixed length");
        const std::size_t size = H5Tget_size(type.id());
        if (size > size_) fail(fmt::format("attribute {} of {} bytes in a file of {}", name, size, size_));
        std::string text(size, '\0');
        read_well(H5Aread(attribute.id(), type.id(), text.data()), "attribute " + name);
        return text.substr(0, text.find('\0'));
    }

    void read_texts(State& state) const {
        std::vector<std::string> names;
        read_well(H5Aiterate2(
                      file_->id(), H5_INDEX_NAME, H5_ITER_INC, nullptr,
                      [](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
                          static_cast<std::vector<std::string>*>(out)->emplace_back(name);
                          return 0;
                      },
                      &names),
                  "attributes");
        for (const std::string& name : names)
            if (name != state_version_attribute) state.texts[name] = read_text(file_->id(), name);
    }

    std::vector<std::string> objects() const {
        std::vector<std::string> names;
        read_well(H5Ovisit(
                      file_->id(), H5_INDEX_NAME, H5_ITER_INC,
                      [](hid_t, const char* name, const H5O_info_t*, void* out) -> herr_t {
                          static_cast<std::vector<std::string>*>(out)->emplace_back(name);
                          return 0;
                      },
                      &names),
                  "objects");
        return names;
    }

    void read_object(State& state, const std::string& name) const {
        const Hdf5Handle object(found(H5Oopen(file_->id(), name.c_str(), H5P_DEFAULT), name), H5Oclose);
        const H5I_type_t kind = H5Iget_type(object.id());
        if (kind == H5I_GROUP) return;
        if (kind != H5I_DATASET) fail(name + " is neither a group nor a dataset");
        const Hdf5Handle type(found(H5Dget_type(object.id()), name), H5Tclose);
        if (H5Tequal(type.id(), H5T_IEEE_F32LE) > 0) read_values(object.id(), name, H5T_NATIVE_FLOAT, state.floats[name]);
        else if (H5Tequal(type.id(), H5T_IEEE_F64LE) > 0) read_values(object.id(), name, H5T_NATIVE_DOUBLE, state.doubles[name]);
        else if (H5Tequal(type.id(), H5T_STD_I64LE) > 0) read_values(object.id(), name, H5T_NATIVE_INT64, state.integers[name]);
        else if (H5Tequal(type.id(), H5T_STD_U16LE) > 0 && H5Aexists(object.id(), state_dtype_attribute) > 0 &&
                 read_text(object.id(), state_dtype_attribute) == state_bfloat16)
            read_values(object.id(), name, H5T_NATIVE_UINT16, state.bf16s[name]);
        else fail(name + " is neither float32 nor float64 nor int64 nor uint16 with dtype=\"bfloat16\"");
    }

    template <class T> void read_values(hid_t dataset, const std::string& name, hid_t type, std::vector<T>& values) const {
        const Hdf5Handle space(found(H5Dget_space(dataset), name), H5Sclose), creation(found(H5Dget_create_plist(dataset), name), H5Pclose);
        if (H5Sget_simple_extent_ndims(space.id()) != 1 || H5Pget_layout(creation.id()) != H5D_CONTIGUOUS)
            fail(name + " is not a contiguous dataset of one dimension");
        hsize_t count = 0;
        read_well(H5Sget_simple_extent_dims(space.id(), &count, nullptr), name);
        const auto bytes = checked_multiply(count, sizeof(T));
        if (!bytes || *bytes > size_) fail(fmt::format("{} holds {} numbers in a file of {} bytes", name, count, size_));
        values.resize(static_cast<std::size_t>(count));
        if (count > 0) read_well(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), name);
    }

    const std::string& name_;
    std::size_t size_;
    std::optional<Hdf5Handle> file_;
};

}  // namespace

State decode_state(std::string_view bytes, const std::string& name) {
    if (bytes.empty()) throw_error(ExitCode::bad_data, "{}: 0 bytes, expected an HDF5 file", name);
    const Hdf5Quiet quiet;
    return StateReader(bytes, name).read();
}

}  // namespace temper
