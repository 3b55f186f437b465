#define F2I_ISA avx2
#include "softmax.inc"
