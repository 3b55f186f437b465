#define F2I_ISA portable
#include "standardize.inc"
