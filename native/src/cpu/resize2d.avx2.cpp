#define F2I_ISA avx2
#include "resize2d.inc"
