// The seal of a file of hdf5_table.h. Internal to io/.
#pragma once
#include <filesystem>
#include <string>

#include "io/hdf5/hdf5_handle.h"

namespace temper {

constexpr std::size_t hdf5_seal_bytes = 512;  // the least that HDF5 allows

// Of the file as it stands from byte 512 on.
std::string make_hdf5_seal(const std::filesystem::path& path);
// bad_data when the file does not begin with the seal of its own bytes.
void check_hdf5_seal(const std::filesystem::path& path);
// Ordinary files in the format of HDF5 1.8, without the library's locks, which some network file systems lack.
Hdf5Handle hdf5_plain_access();

}  // namespace temper
