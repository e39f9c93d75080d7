#include "cli/version.h"

#include <cblas.h>
#include <fmt/format.h>
#include <hdf5.h>

#include "io/comm/vector_exchange.h"
#include "kernels/cuda/attention_cudnn.h"
#include "kernels/cuda/runtime.h"
#include "kernels/op_table.h"
#include "kernels/stream.h"

namespace temper {
namespace {

std::string hdf5_version() {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    return fmt::format("{}.{}.{}", major, minor, release);
}

std::string blas_version() {
    std::string blas = openblas_get_config();
    while (!blas.empty() && blas.back() == ' ') blas.pop_back();
    return blas;
}

// Libraries for CUDA devices that the build has.
std::map<std::string, std::string> optional_versions() {
    std::map<std::string, std::string> versions = {{"cudnn", cuda::cudnn_version()}, {"nccl", nccl_version()}};
    std::erase_if(versions, [](const auto& entry) { return entry.second == "none"; });
    return versions;
}

// "none", or the toolkit that the kernels were compiled with, and the devices.
std::string cuda_text() {
    if (cuda::table() == nullptr) return "none";
    std::string text = TEMPER_CUDA_TOOLKIT;
    const int devices = cuda::device_count();
    for (int i = 0; i < devices; ++i) text += fmt::format("{}{}", i == 0 ? ", " : " + ", cuda::device_name(i));
    if (devices == 0) text += ", no device";
    for (const auto& [name, version] : optional_versions()) text += fmt::format(", {} {}", name, version);
    return text;
}

}  // namespace

std::map<std::string, std::string> version_map() {
    std::map<std::string, std::string> versions = {{"temper", TEMPER_VERSION},   {"git", TEMPER_GIT},      {"compiler", TEMPER_COMPILER},
                                                   {"build", TEMPER_BUILD_TYPE}, {"blas", blas_version()}, {"mpi", comm_version()},
                                                   {"hdf5", hdf5_version()}};
    versions.merge(optional_versions());
    return versions;
}

std::string version_text() {
    return fmt::format(
        "temper {} ({}, {}, {})\n"
        "ISA    {}\n"
        "BLAS   {}\n"
        "MPI    {}\n"
        "HDF5   {}\n"
        "CUDA   {}",
        TEMPER_VERSION, TEMPER_GIT, TEMPER_COMPILER, TEMPER_BUILD_TYPE, name_of(best_isa()), blas_version(), comm_version(), hdf5_version(),
        cuda_text());
}

}  // namespace temper
