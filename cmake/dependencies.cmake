# Debian packages; each has its line of reason in CONTRIBUTING.md.
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CURL REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)

pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas)
add_library(temper_blas INTERFACE)
target_link_libraries(temper_blas INTERFACE PkgConfig::OPENBLAS)

# The serial HDF5 by its own pkg-config name, so that an MPI build installed beside it is never picked up.
pkg_check_modules(HDF5 REQUIRED IMPORTED_TARGET hdf5-serial)
add_library(temper_hdf5 INTERFACE)
target_link_libraries(temper_hdf5 INTERFACE PkgConfig::HDF5)

find_package(LibXml2 REQUIRED)
add_library(temper_html INTERFACE)
target_link_libraries(temper_html INTERFACE LibXml2::LibXml2)

# Headers alone.
find_path(HNSWLIB_INCLUDE_DIR hnswlib/hnswlib.h REQUIRED)
add_library(temper_hnsw INTERFACE)
target_include_directories(temper_hnsw SYSTEM INTERFACE ${HNSWLIB_INCLUDE_DIR})

# Asio and Beast, headers alone.
find_package(Boost 1.74 REQUIRED)
add_library(temper_http_server INTERFACE)
target_link_libraries(temper_http_server INTERFACE Boost::headers)

add_library(temper_openmp INTERFACE)
if(TEMPER_OPENMP)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  target_link_libraries(temper_openmp INTERFACE OpenMP::OpenMP_CXX)
else()
  find_package(Threads REQUIRED)
  target_link_libraries(temper_openmp INTERFACE Threads::Threads)
endif()

add_library(temper_mpi INTERFACE)
if(TEMPER_MPI)
  set(MPI_CXX_SKIP_MPICXX ON)
  find_package(MPI REQUIRED COMPONENTS CXX)
  target_link_libraries(temper_mpi INTERFACE MPI::MPI_CXX)
endif()
