// Picks an op's kernel table for the instruction set of a context.
#pragma once

#include "f2i/f2i.h"

/// The table `stem`_<isa> that suits `isa`; the three tables are declared in the op's header, and
/// those for AVX exist on x86-64 only.
#if defined(__x86_64__) || defined(_M_X64)
#define F2I_SELECT(stem, isa)                                                                      \
  ((isa) == F2I_ISA_AVX512 ? stem##_avx512 : (isa) == F2I_ISA_AVX2 ? stem##_avx2 : stem##_portable)
#else
#define F2I_SELECT(stem, isa) (static_cast<void>(isa), stem##_portable)
#endif
