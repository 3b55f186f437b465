#define F2I_ISA avx2
#include "group_norm.inc"
