#include "io/hdf5/hdf5_table.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "io/durable.h"
#include "io/hdf5/hdf5_handle.h"
#include "io/hdf5/hdf5_seal.h"
#include "io/system_calls.h"
#include "kernels/error.h"

namespace temper {

struct Hdf5TableWriter::File {
    std::string place;
    hid_t file = -1;  // by hand: a close that fails must be heard of
    ~File() {
        if (file >= 0) H5Fclose(file);
    }
    void close() { done(H5Fclose(std::exchange(file, -1)), "close"); }

    [[noreturn]] void fail(const std::string& what) const { throw_error(ExitCode::io_error, "{}: {}: {}", place, what, hdf5_reason()); }
    hid_t made(hid_t id, const std::string& what) const {
        if (id < 0) fail(what);
        return id;
    }
    void done(herr_t status, const std::string& what) const {
        if (status < 0) fail(what);
    }

    Hdf5Handle text_type(const std::string& name) const {
        Hdf5Handle type(made(H5Tcopy(H5T_C_S1), name), H5Tclose);
        done(H5Tset_size(type.id(), H5T_VARIABLE), name);
        done(H5Tset_cset(type.id(), H5T_CSET_UTF8), name);
        return type;
    }
    void attribute(const std::string& name, hid_t file_type, hid_t memory_type, const void* value) const {
        const Hdf5Quiet quiet;
        const Hdf5Handle space(made(H5Screate(H5S_SCALAR), name), H5Sclose);
        const Hdf5Handle attribute(made(H5Acreate2(file, name.c_str(), file_type, space.id(), H5P_DEFAULT, H5P_DEFAULT), name), H5Aclose);
        done(H5Awrite(attribute.id(), memory_type, value), name);
    }
    Hdf5Handle dataset(const std::string& name, hid_t type, const std::vector<hsize_t>& shape) const {
        const Hdf5Handle space(made(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), name), H5Sclose);
        const Hdf5Handle creation(made(H5Pcreate(H5P_DATASET_CREATE), name), H5Pclose);
        done(H5Pset_obj_track_times(creation.id(), false), name);
        done(H5Pset_layout(creation.id(), H5D_CONTIGUOUS), name);
        return Hdf5Handle(made(H5Dcreate2(file, name.c_str(), type, space.id(), H5P_DEFAULT, creation.id(), H5P_DEFAULT), name), H5Dclose);
    }
    void write(const std::string& name, hid_t file_type, hid_t memory_type, const std::vector<hsize_t>& shape, const void* values) const {
        const Hdf5Quiet quiet;
        const Hdf5Handle data = dataset(name, file_type, shape);
        for (const hsize_t extent : shape)
            if (extent == 0) return;
        done(H5Dwrite(data.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), name);
    }
};

Hdf5TableWriter::Hdf5TableWriter(std::filesystem::path target)
    : target_(std::move(target)), staged_(staging_path(target_)), file_(std::make_unique<File>()) {
    const Hdf5Quiet quiet;
    file_->place = target_.string();
    const Hdf5Handle creation(file_->made(H5Pcreate(H5P_FILE_CREATE), "create"), H5Pclose);
    file_->done(H5Pset_userblock(creation.id(), hdf5_seal_bytes), "user block");
    file_->done(H5Pset_obj_track_times(creation.id(), false), "times");
    const Hdf5Handle access = hdf5_plain_access();
    file_->file = file_->made(H5Fcreate(staged_.c_str(), H5F_ACC_TRUNC, creation.id(), access.id()), "create");
}

Hdf5TableWriter::~Hdf5TableWriter() {
    if (!file_) return;
    const Hdf5Quiet quiet;
    file_.reset();
    ::unlink(staged_.c_str());
}

void Hdf5TableWriter::attribute(const std::string& name, const std::string& text) {
    if (text.find('\0') != std::string::npos) throw_error(ExitCode::bad_data, "{}: attribute {} holds a NUL byte", file_->place, name);
    const char* value = text.c_str();
    const Hdf5Handle type = file_->text_type(name);
    file_->attribute(name, type.id(), type.id(), &value);
}

void Hdf5TableWriter::attribute(const std::string& name, std::int64_t value) { file_->attribute(name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value); }

void Hdf5TableWriter::floats(const std::string& name, Span<const float> values, std::int64_t rows, std::int64_t columns) {
    if (values.size() != static_cast<std::size_t>(rows * columns))
        throw_error(ExitCode::internal, "{}: {}: {} numbers for ({}, {})", file_->place, name, values.size(), rows, columns);
    file_->write(name, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, {static_cast<hsize_t>(rows), static_cast<hsize_t>(columns)}, values.data());
}

void Hdf5TableWriter::integers(const std::string& name, const std::vector<std::int64_t>& values) {
    file_->write(name, H5T_STD_I64LE, H5T_NATIVE_INT64, {values.size()}, values.data());
}

void Hdf5TableWriter::bytes(const std::string& name, const std::string& values) {
    file_->write(name, H5T_STD_U8LE, H5T_NATIVE_UINT8, {values.size()}, values.data());
}

void Hdf5TableWriter::texts(const std::string& name, std::int64_t count, const std::function<const std::string&(std::int64_t)>& text_of) {
    std::vector<const char*> pointers(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) {
        const std::string& text = text_of(i);
        if (text.find('\0') != std::string::npos)
            throw_error(ExitCode::bad_data, "{}: {}[{}] holds a NUL byte; clean the text of control characters", file_->place, name, i);
        pointers[static_cast<std::size_t>(i)] = text.c_str();
    }
    const Hdf5Handle type = file_->text_type(name);
    file_->write(name, type.id(), type.id(), {pointers.size()}, pointers.data());
}

void Hdf5TableWriter::commit() {
    {
        const Hdf5Quiet quiet;
        file_->done(H5Fflush(file_->file, H5F_SCOPE_GLOBAL), "flush");
        file_->close();
    }
    const std::string seal = make_hdf5_seal(staged_);
    const auto fail = [&](const char* operation) {
        throw_error(ExitCode::io_error, "{}: {}: {}", target_.string(), operation, std::strerror(errno));
    };
    SystemCalls& calls = system_calls();
    const int fd = calls.open(staged_.c_str(), O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0) fail("open");
    const bool written = calls.write(fd, seal.data(), seal.size()) == static_cast<ssize_t>(seal.size());
    const bool synced = written && calls.fsync(fd) == 0;
    const bool closed = calls.close(fd) == 0;
    if (!written || !synced || !closed) fail(!written ? "write" : !synced ? "fsync" : "close");
    rename_durable(staged_, target_);
    file_.reset();
}

}  // namespace temper
