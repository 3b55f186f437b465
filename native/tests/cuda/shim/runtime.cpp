// The calls of the CUDA runtime that src/cuda makes, on a device that is this
// processor (streams and memory: streams.cpp). F2I_SHIM_CAPABILITY (75, 80, 90; "75,90" for two) chooses what
// it says of itself, F2I_SHIM_MEMORY how many bytes it has, F2I_SHIM_DEVICES how
// many there are, F2I_SHIM_DRIVER the version of the driver (0: there is none),
// F2I_SHIM_NO_IMAGE=1 that the library has no code for it.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cuda.h"
#include "cuda_runtime.h"

thread_local int shim::current_device = 0;

namespace {

constexpr int runtime_version = 13000;

int number(const char *variable, int otherwise) {
  const char *const text = std::getenv(variable);
  return text != nullptr && *text != '\0' ? std::atoi(text) : otherwise;
}

/// Of several devices the capabilities are a list, "70,90"; those beyond it are as the last one.
int capability_of(int device) {
  const char *text = std::getenv("F2I_SHIM_CAPABILITY");
  if (text == nullptr || *text == '\0') return 90;
  for (const char *next; device > 0 && (next = std::strchr(text, ',')) != nullptr; --device) text = next + 1;
  return std::atoi(text);
}

} // namespace

cudaError_t cudaDriverGetVersion(int *version) {
  *version = number("F2I_SHIM_DRIVER", runtime_version);
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = runtime_version;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int *count) {
  *count = 0;
  if (number("F2I_SHIM_DRIVER", runtime_version) < runtime_version) return cudaErrorInsufficientDriver;
  *count = number("F2I_SHIM_DEVICES", 1);
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}
cudaError_t cudaGetDevice(int *device) {
  *device = shim::current_device;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= number("F2I_SHIM_DEVICES", 1)) return cudaErrorInvalidDevice;
  shim::current_device = device;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int) {
  std::snprintf(properties->name, sizeof properties->name, "host shim");
  size_t free = 0;
  (void)cudaMemGetInfo(&free, &properties->totalGlobalMem);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device) {
  const int capability = capability_of(device);
  switch (attribute) {
  case cudaDevAttrComputeCapabilityMajor: *value = capability / 10; break;
  case cudaDevAttrComputeCapabilityMinor: *value = capability % 10; break;
  case cudaDevAttrMultiProcessorCount: *value = 4; break;
  case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = (capability >= 90 ? 227 : capability >= 80 ? 99 : 64) << 10; break;
  case cudaDevAttrMemoryPoolsSupported: *value = 1; break;
  }
  return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *) {
  attributes->binaryVersion = number("F2I_SHIM_CAPABILITY", 90);
  attributes->numRegs = 255;
  return number("F2I_SHIM_NO_IMAGE", 0) == 0 ? cudaSuccess : cudaErrorNoKernelImageForDevice;
}
cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned, unsigned long long,
                                             cudaDriverEntryPointQueryResult *found) {
  const bool is_there = std::strcmp(name, "cuTensorMapEncodeTiled") == 0;
  *function = is_there ? reinterpret_cast<void *>(&cuTensorMapEncodeTiled) : nullptr;
  *found = is_there ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  return cudaSuccess;
}
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char *cudaGetErrorName(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "an error of the shim";
}
const char *cudaGetErrorString(cudaError_t error) {
  switch (error) {
  case cudaSuccess: return "no error";
  case cudaErrorMemoryAllocation: return "out of memory";
  case cudaErrorNoDevice: return "no device";
  case cudaErrorInvalidConfiguration:
  case cudaErrorLaunchFailure: return shim::fault_text();
  default: return "invalid";
  }
}
