#define F2I_ISA avx512
#include "attention.inc"
