#define F2I_ISA avx512
#include "top_k.inc"
