// Failures of the core as JavaScript errors: message, `status`, and, for those
// that surface at a wait, `op` and `tag`. src/native/failure.ts makes the public
// error of them.
#pragma once

#include <napi.h>

#include "f2i/f2i.h"

namespace f2i::node {

/// To be thrown from a method.
inline Napi::Error error_of(Napi::Env env, f2i_status status, const char *message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("status", Napi::Number::New(env, status));
  return error;
}

/// To reject a promise with. In plain Node-API, since it must not throw while
/// the environment is terminating.
inline napi_value error_of(napi_env env, const f2i_failure &failure) {
  napi_value message = nullptr, error = nullptr, status = nullptr, op = nullptr, tag = nullptr;
  napi_create_string_utf8(env, failure.message, NAPI_AUTO_LENGTH, &message);
  napi_create_error(env, nullptr, message, &error);
  napi_create_int32(env, failure.status, &status);
  napi_set_named_property(env, error, "status", status);
  napi_create_string_utf8(env, failure.op, NAPI_AUTO_LENGTH, &op);
  napi_set_named_property(env, error, "op", op);
  napi_create_double(env, static_cast<double>(failure.tag), &tag);
  napi_set_named_property(env, error, "tag", tag);
  return error;
}

} // namespace f2i::node
