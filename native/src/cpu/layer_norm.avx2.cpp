#define F2I_ISA avx2
#include "layer_norm.inc"
