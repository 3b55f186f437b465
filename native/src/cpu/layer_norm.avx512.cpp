#define F2I_ISA avx512
#include "layer_norm.inc"
