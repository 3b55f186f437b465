#define F2I_ISA portable
#include "elementwise.inc"
