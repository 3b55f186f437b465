#define F2I_ISA avx512
#include "softmax.inc"
