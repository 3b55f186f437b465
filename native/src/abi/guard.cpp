#include "abi/guard.hpp"

#include <cstdarg>
#include <cstdio>

namespace f2i::abi {
namespace {

// The text belongs to the calling thread, not to a context, because a failed
// f2i_context_create has none.
thread_local char error_text[512] = "";

constexpr uint32_t longest_struct = 1u << 16; // a size beyond it is a mistake, not a later version

} // namespace

void refuse(f2i_status status, const char *format, ...) {
  char text[sizeof error_text];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw Refusal{status, text};
}

f2i_status set_error(f2i_status status, const char *message) noexcept {
  std::snprintf(error_text, sizeof error_text, "%s", message);
  return status;
}

const char *last_error() noexcept { return error_text; }

size_t check_struct(const char *call, const void *data, size_t first_version, size_t known) {
  if (data == nullptr) refuse(F2I_INVALID_ARGUMENT, "%s: arguments: expected a struct, found NULL", call);
  uint32_t size = 0;
  std::memcpy(&size, data, sizeof size);
  if (size < first_version || size > longest_struct) {
    refuse(F2I_INVALID_ARGUMENT, "%s: struct_size: expected at least %zu, found %u", call, first_version, size);
  }
  const auto *const bytes = static_cast<const unsigned char *>(data);
  for (size_t i = known; i < size; ++i) {
    if (bytes[i] != 0) {
      refuse(F2I_UNSUPPORTED, "%s: struct_size: found %u with a field set beyond the %zu bytes that version %s knows",
             call, size, known, f2i_version());
    }
  }
  return size < known ? size : known;
}

} // namespace f2i::abi
