#define F2I_ISA portable
#include "attention.inc"
