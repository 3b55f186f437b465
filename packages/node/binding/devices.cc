// What devices there are, before a context is opened on one.
#include "devices.hpp"

#include "errors.hpp"
#include "f2i/f2i.h"

namespace f2i::node {

Napi::Value describe_device(const Napi::CallbackInfo &info) {
  const Napi::Env env = info.Env();
  const std::string library = info[2].IsString() ? info[2].As<Napi::String>().Utf8Value() : "";
  f2i_device_info found = F2I_INIT(f2i_device_info);
  const f2i_status status =
      f2i_device_describe(info[0].As<Napi::Number>().Int32Value(), info[1].As<Napi::Number>().Int32Value(),
                          library.empty() ? nullptr : library.c_str(), &found);
  if (status != F2I_OK) throw error_of(env, status, f2i_last_error(nullptr));
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", Napi::String::New(env, found.name));
  object.Set("count", Napi::Number::New(env, found.count));
  object.Set("capability", Napi::Number::New(env, found.capability));
  object.Set("processors", Napi::Number::New(env, found.processors));
  object.Set("memoryBytes", Napi::Number::New(env, static_cast<double>(found.memory_bytes)));
  object.Set("freeBytes", Napi::Number::New(env, static_cast<double>(found.free_bytes)));
  return object;
}

Napi::Value count_devices(const Napi::CallbackInfo &info) {
  const std::string library = info[1].IsString() ? info[1].As<Napi::String>().Utf8Value() : "";
  f2i_device_info found = F2I_INIT(f2i_device_info);
  (void)f2i_device_describe(info[0].As<Napi::Number>().Int32Value(), 0, library.empty() ? nullptr : library.c_str(), &found);
  return Napi::Number::New(info.Env(), found.count);
}

} // namespace f2i::node
