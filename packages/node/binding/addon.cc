// The module: what the core is, devices, and contexts on them.
#include <napi.h>

#include "context.hpp"
#include "devices.hpp"

namespace f2i::node {

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("abiVersion", Napi::Number::New(env, f2i_abi_version()));
  exports.Set("version", Napi::String::New(env, f2i_version()));
  exports.Set("bestIsa", Napi::Number::New(env, f2i_best_isa()));
  exports.Set("describeDevice", Napi::Function::New(env, describe_device, "describeDevice"));
  exports.Set("countDevices", Napi::Function::New(env, count_devices, "countDevices"));
  exports.Set("Context", Context::define(env));
  return exports;
}

NODE_API_MODULE(f2i, initialise)

} // namespace f2i::node
