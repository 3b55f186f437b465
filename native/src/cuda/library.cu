// What the core sees of this library: one entry, f2i_device_library().
#include <cstdio>
#include <exception>
#include <new>

#include "cuda/ops.hpp"
#include "runtime/device_library.hpp"

namespace f2i::cuda {
namespace {

/// A driver whose exceptions stay in this library.
template <auto driver> struct Guarded;
template <class Op, f2i_status (*driver)(Exec &, const Op &)> struct Guarded<driver> {
  static f2i_status run(Exec &ex, const Op &op) noexcept {
    try {
      return driver(ex, op);
    } catch (const std::bad_alloc &) {
      return ex.fail(F2I_OUT_OF_MEMORY, "no memory for the op's description");
    } catch (const std::exception &error) {
      return ex.fail(F2I_INTERNAL, "%s", error.what());
    } catch (...) {
      return ex.fail(F2I_INTERNAL, "unknown exception");
    }
  }
};

DeviceOps make_ops() {
  DeviceOps ops;
#define F2I_OP(Struct, driver) ops.set<Struct>(&Guarded<&driver>::run);
  F2I_CUDA_OPS(F2I_OP)
#undef F2I_OP
  return ops;
}

f2i_status describe(int32_t index, f2i_device_info *info, char *why, size_t size) {
  return CudaDevice::describe(index, info, why, size);
}

f2i_status open(const DeviceRequest *request, Device **out, char *why, size_t size) {
  return CudaDevice::open(request->index, static_cast<cudaStream_t>(request->stream), out, why, size);
}

} // namespace

const DeviceOps &CudaDevice::ops() const noexcept {
  static const DeviceOps ops = make_ops();
  return ops;
}

} // namespace f2i::cuda

extern "C" F2I_API const f2i::DeviceLibrary *f2i_device_library() {
  static const f2i::DeviceLibrary library = [] {
    f2i::DeviceLibrary entry;
    entry.layout = f2i::DeviceOps::layout();
    entry.describe = &f2i::cuda::describe;
    entry.open = &f2i::cuda::open;
    return entry;
  }();
  return &library;
}
