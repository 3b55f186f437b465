#define F2I_ISA avx512
#include "cosine_matrix.inc"
