#define F2I_ISA portable
#include "group_norm.inc"
