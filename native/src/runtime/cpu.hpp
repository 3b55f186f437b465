// What this machine offers: instruction sets and processors.
#pragma once

#include "f2i/f2i.h"

namespace f2i {

/// Best instruction set that the processor and the system support and that the
/// library was built with.
f2i_isa best_isa();
/// "portable", "avx2", "avx512", "auto"; "unknown" otherwise.
const char *isa_name(f2i_isa isa);
/// Processors this process may use: its affinity and its cgroup's quota.
int usable_processors();

} // namespace f2i
