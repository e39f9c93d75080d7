# Compiler and linker flags of every target. -ffp-contract=off: a multiply-add is fused only where the source says so,
# so that a vector loop and its scalar tail give the same bits.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
find_program(CCACHE ccache)
if(CCACHE)
  # ccache takes a precompiled header only where it is told that time and undefined macros may be ignored.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

add_library(temper_flags INTERFACE)
target_include_directories(temper_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(temper_flags INTERFACE
  # g++ 12 sees uninitialised members in nlohmann-json where there are none.
  -Wall -Wextra -Wno-maybe-uninitialized -Wconversion -Wshadow -Wformat=2 -Wimplicit-fallthrough -Werror -ffp-contract=off
  -fstack-clash-protection -fstack-protector-strong -fcf-protection=full -fno-strict-aliasing)
target_compile_definitions(temper_flags INTERFACE _GLIBCXX_ASSERTIONS)
target_link_options(temper_flags INTERFACE -Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now)
if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT TEMPER_SANITIZE)
  target_compile_options(temper_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
if(TEMPER_SANITIZE)
  target_compile_options(temper_flags INTERFACE -fsanitize=${TEMPER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(temper_flags INTERFACE -fsanitize=${TEMPER_SANITIZE})
endif()
include(CheckPIESupported)
check_pie_supported()

# kernels/cpu: the name of a file says which instructions it needs; nothing else may use them. AVX2 is the least we run on.
function(temper_isa_flags target)
  file(GLOB cpu_sources CONFIGURE_DEPENDS kernels/cpu/*.cpp)
  foreach(source ${cpu_sources})
    if(source MATCHES "_amx\\.cpp$")
      set(isa -march=x86-64-v4 -mavx512bf16 -mamx-tile -mamx-bf16 -mprefer-vector-width=512)
    elseif(source MATCHES "_avx512\\.cpp$")
      set(isa -march=x86-64-v4 -mavx512bf16 -mprefer-vector-width=512)
    elseif(source MATCHES "_avx2\\.cpp$")
      set(isa -march=x86-64-v3)
    else()
      continue()
    endif()
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${isa}")
  endforeach()
endfunction()
