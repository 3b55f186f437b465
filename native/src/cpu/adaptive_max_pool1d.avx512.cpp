#define F2I_ISA avx512
#include "adaptive_max_pool1d.inc"
