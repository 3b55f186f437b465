#define F2I_ISA portable
#include "eigh.inc"
