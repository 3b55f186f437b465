#define F2I_ISA portable
#include "softmax.inc"
