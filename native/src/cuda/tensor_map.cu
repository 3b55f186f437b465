#include "cuda/tensor_map.hpp"

#include "cuda/kernel.cuh"

namespace f2i::cuda::hopper {
namespace {

using EncodeTiled = decltype(&cuTensorMapEncodeTiled);

/// The driver's function, by the runtime: this library is not linked with the driver's. Null where it has none.
EncodeTiled encoder() {
  static const EncodeTiled encode = []() -> EncodeTiled {
    void *function = nullptr;
    cudaDriverEntryPointQueryResult found;
    const cudaError_t error =
        cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found);
    (void)cudaGetLastError();
    const bool is_there = error == cudaSuccess && found == cudaDriverEntryPointSuccess;
    return is_there ? reinterpret_cast<EncodeTiled>(function) : nullptr;
  }();
  return encode;
}

} // namespace

bool has_tensor_maps() { return encoder() != nullptr; }

bool encode(CUtensorMap &map, const Tensor &tensor) {
  if (encoder() == nullptr) return false;
  const auto size = static_cast<uint64_t>(size_of(tensor.type));
  cuuint64_t extents[Tensor::most], strides[Tensor::most]; // in bytes, from the second dimension on
  cuuint32_t box[Tensor::most], steps[Tensor::most];
  for (int i = 0; i < tensor.dimensions; ++i) {
    extents[i] = static_cast<cuuint64_t>(tensor.extents[i]);
    if (i > 0) strides[i - 1] = static_cast<cuuint64_t>(tensor.strides[i]) * size;
    box[i] = static_cast<cuuint32_t>(tensor.box[i]);
    steps[i] = 1;
  }
  const CUtensorMapDataType entries = tensor.type == F2I_F16    ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                      : tensor.type == F2I_BF16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                                                : CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  return encoder()(&map, entries, static_cast<cuuint32_t>(tensor.dimensions), const_cast<void *>(tensor.data), extents, strides,
                   box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                   CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

bool is_built_for_hopper(const void *kernel) {
  cudaFuncAttributes attributes{};
  const cudaError_t error = cudaFuncGetAttributes(&attributes, kernel);
  (void)cudaGetLastError();
  return error == cudaSuccess && attributes.numRegs > 100;
}

} // namespace f2i::cuda::hopper
