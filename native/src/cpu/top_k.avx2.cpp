#define F2I_ISA avx2
#include "top_k.inc"
