// The boundary: inside, refusals are exceptions; outside, a status and a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>

#include "f2i/f2i.h"

namespace f2i::abi {

/// Thrown inside of guard(); becomes the status and the text of the call.
struct Refusal {
  f2i_status status;
  std::string message;
};

[[noreturn]]
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void refuse(f2i_status status, const char *format, ...);

/// Sets what f2i_last_error() returns on this thread; gives the status back.
f2i_status set_error(f2i_status status, const char *message) noexcept;
const char *last_error() noexcept;

/// Runs a call's body; nothing leaves it but a status.
template <class F> f2i_status guard(F &&body) noexcept {
  try {
    body();
    return F2I_OK;
  } catch (const Refusal &refusal) {
    return set_error(refusal.status, refusal.message.c_str());
  } catch (const std::bad_alloc &) {
    return set_error(F2I_OUT_OF_MEMORY, "out of memory");
  } catch (const std::system_error &error) {
    return set_error(F2I_INTERNAL, error.what());
  } catch (const std::exception &error) {
    return set_error(F2I_INTERNAL, error.what());
  } catch (...) {
    return set_error(F2I_INTERNAL, "unknown exception");
  }
}

inline void require_context(const f2i_context *context, const char *call) {
  if (context == nullptr) refuse(F2I_INVALID_ARGUMENT, "%s: context: expected a handle, found NULL", call);
}

/// The bytes of the struct that the caller has and this version knows.
size_t check_struct(const char *call, const void *data, size_t first_version, size_t known);

/// The caller's struct as this version knows it. A caller built with a later
/// header may pass a longer one as long as what is unknown here is zero. Of a
/// struct that has grown, sizes from its first version on are accepted, and
/// the missing tail is zero.
template <class T> T read_struct(const char *call, const T *data, size_t first_version = sizeof(T)) {
  static_assert(std::is_trivially_copyable_v<T> && offsetof(T, struct_size) == 0);
  const size_t size = check_struct(call, data, first_version, sizeof(T));
  T copy = T();
  std::memcpy(&copy, data, size);
  return copy;
}

} // namespace f2i::abi
