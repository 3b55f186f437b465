#define F2I_ISA portable
#include "activation.inc"
