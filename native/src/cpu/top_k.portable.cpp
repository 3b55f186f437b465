#define F2I_ISA portable
#include "top_k.inc"
