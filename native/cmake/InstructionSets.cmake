# Which kernels are built, and with which flags: by the suffix of the file,
# <op>.<isa>.cpp. Everything else is built for the baseline of the platform.

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(F2I_X86 ON)
else()
  set(F2I_X86 OFF)
endif()

# A 512-bit preference keeps the compiler from splitting vectors in halves.
set(F2I_FLAGS_avx2 -mavx2 -mfma -mf16c)
set(F2I_FLAGS_avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mf16c -mprefer-vector-width=512)

# Adds the groups of objects f2i_kernels_<isa>, one for each instruction set that the target has, and lists them.
function(f2i_add_kernels list)
  set(groups)
  foreach(isa portable avx2 avx512)
    if(NOT isa STREQUAL portable AND NOT F2I_X86)
      continue()
    endif()
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/cpu/*.${isa}.cpp)
    add_library(f2i_kernels_${isa} OBJECT ${files})
    target_compile_options(f2i_kernels_${isa} PRIVATE ${F2I_FLAGS_${isa}})
    if(NOT F2I_SANITIZE)
      target_compile_options(f2i_kernels_${isa} PRIVATE -O3) # in debug builds too
    endif()
    if(F2I_X86)
      # Of a short file the compiler reads the intrinsics for longest.
      target_precompile_headers(f2i_kernels_${isa} PRIVATE <immintrin.h>)
    endif()
    list(APPEND groups f2i_kernels_${isa})
  endforeach()
  set(${list} ${groups} PARENT_SCOPE)
endfunction()
