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

# Drops the files of instruction sets that the target does not have.
function(f2i_select_kernels list)
  if(NOT F2I_X86)
    list(FILTER ${list} EXCLUDE REGEX "\\.(avx2|avx512)\\.cpp$")
    set(${list} ${${list}} PARENT_SCOPE)
  endif()
endfunction()

function(f2i_set_isa_flags)
  foreach(file ${ARGN})
    if(file MATCHES "\\.(avx2|avx512)\\.cpp$")
      set_property(SOURCE ${file} APPEND PROPERTY COMPILE_OPTIONS ${F2I_FLAGS_${CMAKE_MATCH_1}})
    endif()
    if(file MATCHES "\\.(portable|avx2|avx512)\\.cpp$" AND NOT F2I_SANITIZE)
      set_property(SOURCE ${file} APPEND PROPERTY COMPILE_OPTIONS -O3) # in debug builds too
    endif()
  endforeach()
endfunction()
