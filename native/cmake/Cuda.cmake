# libf2i_cuda: the CUDA kernels as a library of their own, which the core opens
# at run time. Needs nvcc to build and nothing but a driver to run: the CUDA
# runtime is linked statically.
#
# F2I_CUDA_ARCHITECTURES: machine code for each of them, and no PTX: other GPUs
# are refused. What users install has more of them: cuda.sh.
set(F2I_CUDA_ARCHITECTURES "75;90a" CACHE STRING "Compute capabilities of libf2i_cuda")

find_program(F2I_NVCC nvcc PATHS $ENV{CUDA_HOME}/bin /usr/local/cuda/bin /usr/local/cuda-13.0/bin REQUIRED)
set(F2I_NVCC_FLAGS -std=c++20 -O3 -Xcompiler=-fPIC,-fvisibility=hidden,-Wall,-Wextra,-Wshadow
  --Werror=all-warnings -DF2I_VERSION="${PROJECT_VERSION}"
  -I${PROJECT_SOURCE_DIR}/src -I${PROJECT_SOURCE_DIR}/include)
foreach(architecture ${F2I_CUDA_ARCHITECTURES})
  list(APPEND F2I_NVCC_FLAGS -gencode=arch=compute_${architecture},code=sm_${architecture})
endforeach()

include(cmake/CudaSources.cmake)
f2i_cuda_sources(kernels)
file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cuda/*.cuh ${PROJECT_SOURCE_DIR}/src/cuda/*.hpp
  ${PROJECT_SOURCE_DIR}/src/abi/device_ops.hpp ${PROJECT_SOURCE_DIR}/src/cpu/drivers.hpp
  ${PROJECT_SOURCE_DIR}/src/runtime/device*.hpp ${PROJECT_SOURCE_DIR}/src/runtime/exec.hpp
  ${PROJECT_SOURCE_DIR}/src/runtime/copy.hpp
  ${PROJECT_SOURCE_DIR}/include/f2i/f2i.h)
set(objects)
foreach(kernel ${kernels})
  get_filename_component(stem ${kernel} NAME_WE)
  set(object ${PROJECT_BINARY_DIR}/cuda/${stem}.o)
  get_property(included SOURCE ${kernel} PROPERTY OBJECT_DEPENDS)
  add_custom_command(OUTPUT ${object} COMMAND ${F2I_NVCC} ${F2I_NVCC_FLAGS} -c ${kernel} -o ${object}
    DEPENDS ${kernel} ${included} ${headers} COMMENT "nvcc ${stem}" VERBATIM)
  list(APPEND objects ${object})
endforeach()
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/cuda)
set(library ${PROJECT_BINARY_DIR}/libf2i_cuda.so)
add_custom_command(OUTPUT ${library}
  COMMAND ${F2I_NVCC} -shared -cudart=static -o ${library} ${objects}
    -Xlinker=-z,now,-z,relro,--no-undefined,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map
  DEPENDS ${objects} ${PROJECT_SOURCE_DIR}/cmake/exports.map COMMENT "nvcc libf2i_cuda.so" VERBATIM)
add_custom_target(f2i_cuda ALL DEPENDS ${library})
