# What of src/cuda is compiled as one. Of short files a compiler reads headers for most of its time, and nvcc does once for
# the host and once for each architecture.
set(F2I_CUDA_TOGETHER
  "entries activation cast elementwise random_normal rotary standardize"
  "places moves permute resampling"
  "products conv2d cosine_matrix gemm gram product product_check"
  "checks hopper_check hopper_trial attention_check tensor_map")

# f2i_cuda_sources(LIST): each file of src/cuda once, by itself or in one that includes it, which says so by OBJECT_DEPENDS.
function(f2i_cuda_sources list)
  set(folder ${PROJECT_SOURCE_DIR}/src/cuda)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cu)
  foreach(group ${F2I_CUDA_TOGETHER})
    separate_arguments(group)
    list(POP_FRONT group name)
    list(TRANSFORM group PREPEND ${folder}/ OUTPUT_VARIABLE files)
    list(TRANSFORM files APPEND .cu)
    list(TRANSFORM group REPLACE "(.+)" "#include \"cuda/\\1.cu\"\n")
    string(CONCAT text ${group})
    set(together ${PROJECT_BINARY_DIR}/cuda/${name}.cu)
    file(CONFIGURE OUTPUT ${together} CONTENT "${text}")
    set_property(SOURCE ${together} PROPERTY OBJECT_DEPENDS ${files})
    list(REMOVE_ITEM sources ${files})
    list(APPEND sources ${together})
  endforeach()
  set(${list} ${sources} PARENT_SCOPE)
endfunction()
