// HDF5 identifiers that close themselves, and its error stack as an Error of ours.
#pragma once
#define H5_USE_110_API  // one meaning of the names from HDF5 1.10 to 1.14
#include <string>
#include <utility>

#include <hdf5.h>

namespace temper {

class Hdf5Handle {
  public:
    Hdf5Handle() = default;
    Hdf5Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
    ~Hdf5Handle() {
        if (id_ >= 0) close_(id_);
    }
    Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
    Hdf5Handle& operator=(Hdf5Handle&&) = delete;
    hid_t id() const { return id_; }
    bool valid() const { return id_ >= 0; }
    // Before its time, for who wants to know whether it worked; negative where it did not.
    herr_t end() { return id_ >= 0 ? close_(std::exchange(id_, -1)) : 0; }

  private:
    hid_t id_ = -1;
    herr_t (*close_)(hid_t) = nullptr;
};

// The library prints its error stack by default; inside this scope it does not.
class Hdf5Quiet {
  public:
    Hdf5Quiet() {
        H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    }
    ~Hdf5Quiet() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
    Hdf5Quiet(const Hdf5Quiet&) = delete;
    Hdf5Quiet& operator=(const Hdf5Quiet&) = delete;

  private:
    H5E_auto2_t function_ = nullptr;
    void* data_ = nullptr;
};

// What the innermost entry of the error stack says.
inline std::string hdf5_reason() {
    std::string reason = "no reason given";
    H5Ewalk2(
        H5E_DEFAULT, H5E_WALK_UPWARD,
        [](unsigned n, const H5E_error2_t* entry, void* out) -> herr_t {
            if (n == 0 && entry->desc != nullptr) *static_cast<std::string*>(out) = entry->desc;
            return 0;
        },
        &reason);
    return reason;
}

}  // namespace temper
