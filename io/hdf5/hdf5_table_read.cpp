#include <algorithm>
#include <optional>

#include "io/hdf5/hdf5_handle.h"
#include "io/hdf5/hdf5_seal.h"
#include "io/hdf5/hdf5_table.h"
#include "kernels/error.h"

namespace temper {

struct Hdf5TableReader::File {
    std::string place;
    std::optional<Hdf5Handle> handle;

    [[noreturn]] void fail(const std::string& what) const { throw_error(ExitCode::bad_data, "{}: {}", place, what); }
    hid_t found(hid_t id, const std::string& what) const {
        if (id < 0) fail(fmt::format("{}: {}", what, hdf5_reason()));
        return id;
    }
    void read_well(herr_t status, const std::string& what) const {
        if (status < 0) fail(fmt::format("{}: {}", what, hdf5_reason()));
    }
    Hdf5Handle dataset(const std::string& name) const {
        return Hdf5Handle(found(H5Dopen2(handle->id(), name.c_str(), H5P_DEFAULT), "/" + name), H5Dclose);
    }
    // Checks its shape against `expected`, where -1 is any extent; its extents.
    std::vector<hsize_t> shape_of(const Hdf5Handle& data, const std::string& name, const std::vector<std::int64_t>& expected) const {
        const Hdf5Handle space(found(H5Dget_space(data.id()), "/" + name), H5Sclose);
        std::vector<hsize_t> shape(expected.size());
        bool fits = H5Sget_simple_extent_ndims(space.id()) == static_cast<int>(shape.size());
        if (fits) read_well(H5Sget_simple_extent_dims(space.id(), shape.data(), nullptr), "/" + name);
        for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = expected[i] < 0 || shape[i] == static_cast<hsize_t>(expected[i]);
        if (!fits) fail(fmt::format("/{}: shape ({}), expected ({})", name, fmt::join(shape, ", "), fmt::join(expected, ", ")));
        return shape;
    }
    void check_type(const Hdf5Handle& data, const std::string& name, hid_t type, const char* what) const {
        const Hdf5Handle stored(found(H5Dget_type(data.id()), "/" + name), H5Tclose);
        if (H5Tequal(stored.id(), type) <= 0) fail(fmt::format("/{}: expected {}", name, what));
    }
    template <class T>
    void read(const std::string& name, hid_t file_type, const char* what, hid_t memory_type, const std::vector<std::int64_t>& expected,
              T& values) const {
        const Hdf5Quiet quiet;
        const Hdf5Handle data = dataset(name);
        check_type(data, name, file_type, what);
        hsize_t count = 1;
        for (const hsize_t extent : shape_of(data, name, expected)) count *= extent;
        values.resize(static_cast<std::size_t>(count));
        if (count > 0) read_well(H5Dread(data.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "/" + name);
    }
    Hdf5Handle attribute(const std::string& name) const {
        Hdf5Handle attribute(found(H5Aopen(handle->id(), name.c_str(), H5P_DEFAULT), "attribute " + name), H5Aclose);
        const Hdf5Handle space(found(H5Aget_space(attribute.id()), "attribute " + name), H5Sclose);
        if (H5Sget_simple_extent_npoints(space.id()) != 1) fail(fmt::format("attribute {}: expected one value", name));
        return attribute;
    }
};

Hdf5TableReader::Hdf5TableReader(std::filesystem::path path) : path_(std::move(path)), file_(std::make_unique<File>()) {
    check_hdf5_seal(path_);
    const Hdf5Quiet quiet;
    file_->place = path_.string();
    const Hdf5Handle access = hdf5_plain_access();
    file_->handle.emplace(file_->found(H5Fopen(path_.c_str(), H5F_ACC_RDONLY, access.id()), "it is not an HDF5 file"), H5Fclose);
}

Hdf5TableReader::~Hdf5TableReader() = default;

void Hdf5TableReader::fail(const std::string& what) const { file_->fail(what); }

std::string Hdf5TableReader::text_attribute(const std::string& name) const {
    const Hdf5Quiet quiet;
    const Hdf5Handle attribute = file_->attribute(name), type(file_->found(H5Aget_type(attribute.id()), "attribute " + name), H5Tclose);
    if (H5Tis_variable_str(type.id()) <= 0) file_->fail(fmt::format("attribute {}: expected text", name));
    char* text = nullptr;
    file_->read_well(H5Aread(attribute.id(), type.id(), &text), "attribute " + name);
    std::string result = text != nullptr ? text : "";
    H5free_memory(text);
    return result;
}

std::int64_t Hdf5TableReader::integer_attribute(const std::string& name) const {
    const Hdf5Quiet quiet;
    const Hdf5Handle attribute = file_->attribute(name), type(file_->found(H5Aget_type(attribute.id()), "attribute " + name), H5Tclose);
    if (H5Tequal(type.id(), H5T_STD_I64LE) <= 0) file_->fail(fmt::format("attribute {}: expected int64", name));
    std::int64_t value = 0;
    file_->read_well(H5Aread(attribute.id(), H5T_NATIVE_INT64, &value), "attribute " + name);
    return value;
}

bool Hdf5TableReader::has(const std::string& name) const {
    const Hdf5Quiet quiet;
    return H5Lexists(file_->handle->id(), name.c_str(), H5P_DEFAULT) > 0;
}

std::int64_t Hdf5TableReader::rows(const std::string& name) const {
    const Hdf5Quiet quiet;
    const Hdf5Handle data = file_->dataset(name), space(file_->found(H5Dget_space(data.id()), "/" + name), H5Sclose);
    hsize_t shape[H5S_MAX_RANK] = {0};
    if (H5Sget_simple_extent_dims(space.id(), shape, nullptr) < 1) file_->fail(fmt::format("/{}: expected rows", name));
    return static_cast<std::int64_t>(shape[0]);
}

std::vector<float> Hdf5TableReader::floats(const std::string& name, std::int64_t rows, std::int64_t columns) const {
    std::vector<float> values;
    file_->read(name, H5T_IEEE_F32LE, "float32", H5T_NATIVE_FLOAT, {rows, columns}, values);
    return values;
}

std::vector<std::int64_t> Hdf5TableReader::integers(const std::string& name, std::int64_t count) const {
    std::vector<std::int64_t> values;
    file_->read(name, H5T_STD_I64LE, "int64", H5T_NATIVE_INT64, {count}, values);
    return values;
}

std::string Hdf5TableReader::bytes(const std::string& name) const {
    std::string values;
    file_->read(name, H5T_STD_U8LE, "uint8", H5T_NATIVE_UINT8, {-1}, values);
    return values;
}

void Hdf5TableReader::texts(const std::string& name, std::int64_t count, const std::function<void(std::int64_t, std::string)>& take) const {
    const Hdf5Quiet quiet;
    const Hdf5Handle data = file_->dataset(name), type(file_->found(H5Dget_type(data.id()), "/" + name), H5Tclose);
    if (H5Tis_variable_str(type.id()) <= 0) file_->fail(fmt::format("/{}: expected texts of variable length", name));
    file_->shape_of(data, name, {count});
    const Hdf5Handle space(file_->found(H5Dget_space(data.id()), "/" + name), H5Sclose);
    constexpr std::int64_t at_once = 4096;  // texts that the library holds beside ours
    std::vector<char*> pointers;
    for (std::int64_t begin = 0; begin < count; begin += at_once) {
        const hsize_t from = static_cast<hsize_t>(begin), size = static_cast<hsize_t>(std::min(at_once, count - begin));
        pointers.assign(size, nullptr);
        const Hdf5Handle memory(file_->found(H5Screate_simple(1, &size, nullptr), "/" + name), H5Sclose);
        file_->read_well(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, &from, nullptr, &size, nullptr), "/" + name);
        file_->read_well(H5Dread(data.id(), type.id(), memory.id(), space.id(), H5P_DEFAULT, pointers.data()), "/" + name);
        std::vector<std::string> held;  // what take() throws must not keep the library's memory
        for (const char* pointer : pointers) held.emplace_back(pointer != nullptr ? pointer : "");
        H5Dvlen_reclaim(type.id(), memory.id(), H5P_DEFAULT, pointers.data());
        for (std::size_t i = 0; i < held.size(); ++i) take(begin + static_cast<std::int64_t>(i), std::move(held[i]));
    }
}

}  // namespace temper
