#define F2I_ISA avx2
#include "adaptive_max_pool1d.inc"
