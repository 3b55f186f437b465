// The calling thread's device is the caller's business: it is put back.
#pragma once

#include <cuda_runtime.h>

namespace f2i::cuda {

class OnDevice {
public:
  explicit OnDevice(int index) {
    if (cudaGetDevice(&before_) != cudaSuccess) before_ = index;
    error = before_ == index ? cudaSuccess : cudaSetDevice(index);
    changed_ = before_ != index;
  }
  ~OnDevice() {
    if (changed_) (void)cudaSetDevice(before_);
  }
  cudaError_t error = cudaSuccess;

private:
  int before_ = 0;
  bool changed_ = false;
};

} // namespace f2i::cuda
