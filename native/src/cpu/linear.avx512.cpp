#define F2I_ISA avx512
#include "linear.inc"
