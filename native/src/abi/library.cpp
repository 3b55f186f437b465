// Calls about the library itself.
#include "f2i/f2i.h"
#include "runtime/cpu.hpp"
#include "runtime/failure.hpp"

extern "C" {

uint32_t f2i_abi_version(void) { return F2I_ABI_VERSION; }

const char *f2i_version(void) { return F2I_VERSION; }

const char *f2i_status_name(f2i_status status) { return f2i::status_name(status); }

f2i_isa f2i_best_isa(void) { return f2i::best_isa(); }

} // extern "C"
