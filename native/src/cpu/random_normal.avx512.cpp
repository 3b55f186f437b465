#define F2I_ISA avx512
#include "random_normal.inc"
