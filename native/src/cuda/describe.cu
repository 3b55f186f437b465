// What GPUs there are, and in plain words what is missing where none can be used.
#include <cstdio>

#include "cuda/device.hpp"
#include "cuda/on_device.hpp"

namespace f2i::cuda {
namespace {

/// Oldest compute capability that the library has kernels for, times ten.
constexpr int oldest_capability = 75;

int attribute(cudaDeviceAttr which, int index) {
  int value = 0;
  return cudaDeviceGetAttribute(&value, which, index) == cudaSuccess ? value : 0;
}

/// What no process uses of its memory; 0: unknown. CUDA makes its context on the GPU to say so.
uint64_t free_memory(int index) {
  const OnDevice on(index);
  size_t free = 0, total = 0;
  const bool known = on.error == cudaSuccess && cudaMemGetInfo(&free, &total) == cudaSuccess;
  (void)cudaGetLastError();
  return known ? free : 0;
}

/// Asked for in the place of all kernels, which are built for the same GPUs.
__global__ void any_kernel() {}

/// Whether the library has machine code for the GPU.
cudaError_t find_code(int index) {
  const OnDevice on(index);
  cudaFuncAttributes attributes;
  const cudaError_t error = on.error != cudaSuccess
                                ? on.error
                                : cudaFuncGetAttributes(&attributes, reinterpret_cast<const void *>(&any_kernel));
  (void)cudaGetLastError();
  return error;
}

/// Why no GPU was counted. CUDA calls a driver that is missing and one that is too old by one name; their versions
/// (13000 is 13.0, and 0 is none) tell them apart.
void explain(cudaError_t error, char *why, size_t size) {
  int driver = 0, runtime = 0;
  (void)cudaDriverGetVersion(&driver);
  (void)cudaRuntimeGetVersion(&runtime);
  (void)cudaGetLastError();
  if (driver == 0) {
    std::snprintf(why, size,
                  "no NVIDIA driver here: libcuda.so.1 was not found. Install the driver of the GPU; in a container, "
                  "start it with access to the GPU (docker run --gpus all)");
  } else if (error == cudaErrorInsufficientDriver) {
    std::snprintf(why, size,
                  "the NVIDIA driver is too old: expected one for CUDA %d.%d or newer, found CUDA %d.%d. Update the "
                  "driver",
                  runtime / 1000, runtime % 1000 / 10, driver / 1000, driver % 1000 / 10);
  } else if (error == cudaErrorNoDevice) {
    std::snprintf(why, size,
                  "the NVIDIA driver is there and sees no GPU: nvidia-smi lists those of the machine, and "
                  "CUDA_VISIBLE_DEVICES may hide them");
  } else {
    std::snprintf(why, size, "the NVIDIA driver failed: %s (%s). nvidia-smi may say more", cudaGetErrorName(error),
                  cudaGetErrorString(error));
  }
}

} // namespace

f2i_status CudaDevice::describe(int32_t index, f2i_device_info *info, char *why, size_t size) {
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    explain(error, why, size);
    return F2I_UNSUPPORTED;
  }
  info->count = count;
  if (index >= count) {
    std::snprintf(why, size, "no GPU of this index: expected one below %d, found %d", count, index);
    return F2I_UNSUPPORTED;
  }
  cudaDeviceProp properties;
  if (const cudaError_t failed = cudaGetDeviceProperties(&properties, index); failed != cudaSuccess) {
    std::snprintf(why, size, "GPU %d: %s", index, cudaGetErrorString(failed));
    return status_of(failed);
  }
  info->device = F2I_DEVICE_CUDA;
  info->index = index;
  info->capability =
      10 * attribute(cudaDevAttrComputeCapabilityMajor, index) + attribute(cudaDevAttrComputeCapabilityMinor, index);
  info->processors = attribute(cudaDevAttrMultiProcessorCount, index);
  info->memory_bytes = properties.totalGlobalMem;
  std::snprintf(info->name, sizeof info->name, "%.63s", properties.name);
  if (info->capability < oldest_capability) {
    std::snprintf(why, size,
                  "the GPU is too old: expected compute capability %d.%d (Turing) or newer, found %d.%d of %s",
                  oldest_capability / 10, oldest_capability % 10, info->capability / 10, info->capability % 10,
                  properties.name);
    return F2I_UNSUPPORTED;
  }
  const cudaError_t found = find_code(index);
  if (found == cudaSuccess) {
    info->free_bytes = free_memory(index);
    return F2I_OK;
  }
  if (found == cudaErrorNoKernelImageForDevice || found == cudaErrorInvalidDeviceFunction) {
    std::snprintf(why, size,
                  "this build of the library has no code for compute capability %d.%d of %s: build it with "
                  "F2I_CUDA_ARCHITECTURES=%d",
                  info->capability / 10, info->capability % 10, properties.name, info->capability);
    return F2I_UNSUPPORTED;
  }
  std::snprintf(why, size, "GPU %d: %s", index, cudaGetErrorString(found));
  return status_of(found);
}

} // namespace f2i::cuda
