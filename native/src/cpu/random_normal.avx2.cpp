#define F2I_ISA avx2
#include "random_normal.inc"
