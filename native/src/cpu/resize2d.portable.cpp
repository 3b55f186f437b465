#define F2I_ISA portable
#include "resize2d.inc"
