# What `temper --version` and the run record say of the build.
find_package(Git QUIET)
set(TEMPER_GIT "unknown")
if(GIT_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --dirty --abbrev=12
                  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE TEMPER_GIT
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
set(TEMPER_CUDA_TOOLKIT "")
if(TEMPER_CUDA)
  find_package(CUDAToolkit REQUIRED)
  set(TEMPER_CUDA_TOOLKIT "${CUDAToolkit_VERSION}")
endif()
add_library(temper_build_info INTERFACE)
target_compile_definitions(temper_build_info INTERFACE
  TEMPER_VERSION="${PROJECT_VERSION}" TEMPER_GIT="${TEMPER_GIT}"
  TEMPER_BUILD_TYPE="${CMAKE_BUILD_TYPE}" TEMPER_COMPILER="${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}"
  TEMPER_HAS_MPI=$<BOOL:${TEMPER_MPI}> TEMPER_CUDA_TOOLKIT="${TEMPER_CUDA_TOOLKIT}")
