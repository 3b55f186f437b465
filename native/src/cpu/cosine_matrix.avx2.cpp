#define F2I_ISA avx2
#include "cosine_matrix.inc"
