// Short lists of the host's that a kernel reads: indices, taps.
#pragma once

#include "cuda/kernel.cuh"

namespace f2i::cuda {

/// A copy of a list on the device, freed with the op; null, with `status` set, where it could not be made.
template <class T> const T *upload(Exec &ex, const T *list, int64_t count, f2i_status &status) {
  const int64_t entries = count > 0 ? count : 1;
  auto *const copy = static_cast<T *>(ex.keep(static_cast<uint64_t>(entries) * sizeof(T)));
  if (copy == nullptr) {
    status = ex.fail(F2I_OUT_OF_MEMORY, "no room for a list of %lld entries", static_cast<long long>(count));
    return nullptr;
  }
  CudaDevice &device = device_of(ex);
  status = device.upload(copy, list, static_cast<uint64_t>(count) * sizeof(T));
  if (status == F2I_OK) return copy;
  status = ex.fail(status, "%s", device.error());
  return nullptr;
}

} // namespace f2i::cuda
