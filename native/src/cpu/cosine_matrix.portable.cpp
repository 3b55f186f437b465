#define F2I_ISA portable
#include "cosine_matrix.inc"
