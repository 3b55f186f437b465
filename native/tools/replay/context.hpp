// Contexts of a run: which device, and how products may round.
#pragma once

#include <memory>
#include <string>

#include "f2i/f2i.h"

namespace replay {

struct Destroy {
  void operator()(f2i_context *context) const { f2i_context_destroy(context); }
};
using Context = std::unique_ptr<f2i_context, Destroy>;

struct DeviceOptions {
  std::string device = "cpu", library; // library: "" for where it is looked for
  int index = 0, threads = 0;
  bool on_gpu() const { return device == "cuda"; }
};

/// Throws Failed with what is missing.
Context open(const DeviceOptions &options, f2i_precision precision = F2I_PRECISION_F32);
f2i_device_info describe(const DeviceOptions &options);

} // namespace replay
