#define F2I_ISA portable
#include "linear.inc"
