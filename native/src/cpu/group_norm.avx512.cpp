#define F2I_ISA avx512
#include "group_norm.inc"
