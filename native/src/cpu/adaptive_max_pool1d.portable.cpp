#define F2I_ISA portable
#include "adaptive_max_pool1d.inc"
