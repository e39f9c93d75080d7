#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "io/hdf5/hdf5_handle.h"
#include "io/hdf5/state_file.h"
#include "kernels/error.h"

namespace temper {

namespace {

hid_t made(hid_t id, const char* what, const std::string& name) {
    if (id < 0) throw_error(ExitCode::internal, "HDF5: {} of {}: {}", what, name, hdf5_reason());
    return id;
}
void done(herr_t status, const char* what, const std::string& name) {
    if (status < 0) throw_error(ExitCode::internal, "HDF5: {} of {}: {}", what, name, hdf5_reason());
}

Hdf5Handle memory_access() {
    Hdf5Handle access(made(H5Pcreate(H5P_FILE_ACCESS), "access", "memory"), H5Pclose);
    constexpr std::size_t growth = std::size_t(1) << 20;
    done(H5Pset_fapl_core(access.id(), growth, /*backing_store=*/false), "core driver", "memory");
    done(H5Pset_libver_bounds(access.id(), H5F_LIBVER_V18, H5F_LIBVER_V18), "version", "memory");
    return access;
}

Hdf5Handle without_times(hid_t properties_class) {
    Hdf5Handle properties(made(H5Pcreate(properties_class), "properties", "state"), H5Pclose);
    done(H5Pset_obj_track_times(properties.id(), false), "times", "state");
    return properties;
}

Hdf5Handle text_type(std::size_t bytes) {
    Hdf5Handle type(made(H5Tcopy(H5T_C_S1), "type", "text"), H5Tclose);
    done(H5Tset_size(type.id(), std::max<std::size_t>(bytes, 1)), "size", "text");
    done(H5Tset_strpad(type.id(), H5T_STR_NULLPAD), "padding", "text");
    done(H5Tset_cset(type.id(), H5T_CSET_UTF8), "character set", "text");
    return type;
}

void write_text(hid_t object, const std::string& name, const std::string& text) {
    if (text.find('\0') != std::string::npos) throw_error(ExitCode::internal, "state: text {} holds a NUL byte", name);
    const Hdf5Handle type = text_type(text.size()), space(made(H5Screate(H5S_SCALAR), "space", name), H5Sclose);
    const Hdf5Handle attribute(made(H5Acreate2(object, name.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), "attribute", name), H5Aclose);
    done(H5Awrite(attribute.id(), type.id(), text.empty() ? "" : text.data()), "attribute", name);
}

// The checksum of the superblock (Jenkins' lookup3, version 0 of the seed), which the library leaves stale in a file image: it clears
// the mark "open for writing" behind the checksum's back. [HDF5 file format specification 3.0, II.A, superblock version 2]
std::uint32_t lookup3(const std::uint32_t* words, std::size_t count) {
    std::uint32_t a = 0xdeadbeefu + static_cast<std::uint32_t>(4 * count), b = a, c = a;
    const auto step = [](std::uint32_t& x, std::uint32_t& y, std::uint32_t& z, int turn) {
        x = (x - z) ^ std::rotl(z, turn);
        z += y;
    };
    for (; count > 3; count -= 3, words += 3) {
        a += words[0], b += words[1], c += words[2];
        step(a, b, c, 4), step(b, c, a, 6), step(c, a, b, 8), step(a, b, c, 16), step(b, c, a, 19), step(c, a, b, 4);
    }
    if (count > 2) c += words[2];
    if (count > 1) b += words[1];
    if (count > 0) a += words[0];
    const auto last = [](std::uint32_t& x, std::uint32_t y, int turn) { x = (x ^ y) - std::rotl(y, turn); };
    last(c, b, 14), last(a, c, 11), last(b, a, 25), last(c, b, 16), last(a, c, 4), last(b, a, 14), last(c, b, 24);
    return c;
}

void renew_superblock_checksum(std::string& image) {
    std::uint32_t words[11];
    constexpr std::size_t version_at = 8;
    if (image.size() < sizeof words + 4 || image[version_at] < 2) throw_error(ExitCode::internal, "HDF5: image of state: superblock not known");
    std::memcpy(words, image.data(), sizeof words);
    const std::uint32_t checksum = lookup3(words, 11);
    std::memcpy(image.data() + sizeof words, &checksum, sizeof checksum);
}

class Writer {
  public:
    Writer() {
        Hdf5Handle creation = without_times(H5P_FILE_CREATE);
        // Attributes beside the object header from the first on: in it, a text is limited to 64 KiB.
        done(H5Pset_attr_phase_change(creation.id(), 0, 0), "attributes", "root");
        const Hdf5Handle access = memory_access();
        file_.emplace(made(H5Fcreate("state", H5F_ACC_TRUNC, creation.id(), access.id()), "file", "state"), H5Fclose);
    }

    template <class T> Hdf5Handle dataset(const std::string& name, const std::vector<T>& values, hid_t type) {
        const hsize_t size = values.size();
        const Hdf5Handle space(made(H5Screate_simple(1, &size, nullptr), "space", name), H5Sclose);
        const Hdf5Handle creation = without_times(H5P_DATASET_CREATE), links(made(H5Pcreate(H5P_LINK_CREATE), "links", name), H5Pclose);
        done(H5Pset_layout(creation.id(), H5D_CONTIGUOUS), "layout", name);
        done(H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER), "fill", name);
        make_groups_of(name);
        Hdf5Handle data(made(H5Dcreate2(file_->id(), name.c_str(), type, space.id(), links.id(), creation.id(), H5P_DEFAULT), "dataset", name),
                        H5Dclose);
        if (!values.empty()) done(H5Dwrite(data.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "data", name);
        return data;
    }
    void text(const std::string& name, const std::string& value) { write_text(file_->id(), name, value); }
    void version() {
        const std::int64_t value = State::format_version;
        const Hdf5Handle space(made(H5Screate(H5S_SCALAR), "space", state_version_attribute), H5Sclose);
        const Hdf5Handle attribute(made(H5Acreate2(file_->id(), state_version_attribute, H5T_STD_I64LE, space.id(), H5P_DEFAULT, H5P_DEFAULT),
                                        "attribute", state_version_attribute),
                                   H5Aclose);
        done(H5Awrite(attribute.id(), H5T_NATIVE_INT64, &value), "attribute", state_version_attribute);
    }
    std::string image() {
        done(H5Fflush(file_->id(), H5F_SCOPE_LOCAL), "flush", "state");
        const ssize_t size = H5Fget_file_image(file_->id(), nullptr, 0);
        if (size < 0) throw_error(ExitCode::internal, "HDF5: image of state: {}", hdf5_reason());
        std::string bytes(static_cast<std::size_t>(size), '\0');
        if (H5Fget_file_image(file_->id(), bytes.data(), bytes.size()) != size)
            throw_error(ExitCode::internal, "HDF5: image of state: {}", hdf5_reason());
        renew_superblock_checksum(bytes);
        return bytes;
    }

  private:
    // By hand, since the groups that HDF5 makes on the way note their time.
    void make_groups_of(const std::string& name) {
        for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
            const std::string group = name.substr(0, slash);
            if (H5Lexists(file_->id(), group.c_str(), H5P_DEFAULT) > 0) continue;
            const Hdf5Handle creation = without_times(H5P_GROUP_CREATE);
            const Hdf5Handle made_group(made(H5Gcreate2(file_->id(), group.c_str(), H5P_DEFAULT, creation.id(), H5P_DEFAULT), "group", group),
                                        H5Gclose);
        }
    }
    std::optional<Hdf5Handle> file_;
};

}  // namespace

std::string encode_state(State state) {
    const Hdf5Quiet quiet;
    Writer writer;
    writer.version();
    for (const auto& [name, text] : state.texts) writer.text(name, text);
    for (auto& [name, values] : state.floats) {
        writer.dataset(name, values, H5T_IEEE_F32LE);
        std::vector<float>().swap(values);  // "= {}" would keep the memory
    }
    for (const auto& [name, values] : state.doubles) writer.dataset(name, values, H5T_IEEE_F64LE);
    for (const auto& [name, values] : state.integers) writer.dataset(name, values, H5T_STD_I64LE);
    for (const auto& [name, values] : state.bf16s)
        write_text(writer.dataset(name, values, H5T_STD_U16LE).id(), state_dtype_attribute, state_bfloat16);
    return writer.image();
}

}  // namespace temper
