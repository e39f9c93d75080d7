# kernels/cuda twice: for NVIDIA devices (temper_cuda, with TEMPER_CUDA), and as C++ on the emulation of emulation/ (temper_cuda_emulated), which
# needs neither a device nor a toolkit. Both stand behind kernels/cuda/runtime.h.
file(GLOB cuda_kernels CONFIGURE_DEPENDS kernels/cuda/*.cu)
file(GLOB cuda_host CONFIGURE_DEPENDS kernels/cuda/*.cpp)
list(FILTER cuda_host EXCLUDE REGEX "/absent\\.cpp$")
set(cuda_portable ${cuda_host})
list(FILTER cuda_portable EXCLUDE REGEX "/runtime\\.cpp$|_cublas\\.cpp$|_cudnn\\.cpp$")

# The kernels as C++, through one file each: a source has one language in a folder, and with TEMPER_CUDA that of a .cu file is CUDA.
function(temper_emulated_library target)
  set(sources)
  foreach(kernel ${cuda_kernels})
    get_filename_component(name ${kernel} NAME_WE)
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/emulated/${name}.cpp CONTENT "#include \"kernels/cuda/${name}.cu\"\n")
    list(APPEND sources ${CMAKE_BINARY_DIR}/emulated/${name}.cpp)
  endforeach()
  file(GLOB emulation CONFIGURE_DEPENDS kernels/cuda/emulation/*.cpp)
  add_library(${target} STATIC ${emulation} ${cuda_portable} ${sources})
  target_link_libraries(${target} PUBLIC temper_flags fmt::fmt)
  target_compile_options(${target} PRIVATE -Wno-unknown-pragmas)  # #pragma unroll
endfunction()
temper_emulated_library(temper_cuda_emulated)
