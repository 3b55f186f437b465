#include "context.hpp"

#include "player.hpp"

namespace replay {
namespace {

f2i_device device_of(const DeviceOptions &options) { return options.on_gpu() ? F2I_DEVICE_CUDA : F2I_DEVICE_CPU; }
const char *library_of(const DeviceOptions &options) { return options.library.empty() ? nullptr : options.library.c_str(); }

} // namespace

Context open(const DeviceOptions &options, f2i_precision precision) {
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  desc.abi_version = F2I_ABI_VERSION;
  desc.threads = options.threads;
  desc.device = device_of(options);
  desc.device_index = options.index;
  desc.library = library_of(options);
  desc.precision = precision;
  f2i_context *context = nullptr;
  ok(f2i_context_create(&desc, &context));
  return Context(context);
}

f2i_device_info describe(const DeviceOptions &options) {
  f2i_device_info info = F2I_INIT(f2i_device_info);
  ok(f2i_device_describe(device_of(options), options.index, library_of(options), &info));
  return info;
}

} // namespace replay
