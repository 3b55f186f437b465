#define F2I_ISA portable
#include "random_normal.inc"
