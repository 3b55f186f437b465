#define F2I_ISA avx512
#include "resize2d.inc"
