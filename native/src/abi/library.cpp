// Calls about the library itself.
#include "f2i/f2i.h"
#include "runtime/cpu.hpp"

extern "C" {

uint32_t f2i_abi_version(void) { return F2I_ABI_VERSION; }

const char *f2i_version(void) { return F2I_VERSION; }

const char *f2i_status_name(f2i_status status) {
  switch (status) {
  case F2I_OK: return "F2I_OK";
  case F2I_INVALID_ARGUMENT: return "F2I_INVALID_ARGUMENT";
  case F2I_UNSUPPORTED: return "F2I_UNSUPPORTED";
  case F2I_OUT_OF_MEMORY: return "F2I_OUT_OF_MEMORY";
  case F2I_IO: return "F2I_IO";
  case F2I_CANCELLED: return "F2I_CANCELLED";
  case F2I_NOT_POSITIVE_DEFINITE: return "F2I_NOT_POSITIVE_DEFINITE";
  case F2I_NO_CONVERGENCE: return "F2I_NO_CONVERGENCE";
  case F2I_POISONED: return "F2I_POISONED";
  case F2I_ABI_MISMATCH: return "F2I_ABI_MISMATCH";
  case F2I_DEVICE_LOST: return "F2I_DEVICE_LOST";
  case F2I_INTERNAL: return "F2I_INTERNAL";
  default: return "F2I_UNKNOWN_STATUS";
  }
}

f2i_isa f2i_best_isa(void) { return f2i::best_isa(); }

} // extern "C"
