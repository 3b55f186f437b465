#define F2I_ISA portable
#include "layer_norm.inc"
