#define F2I_ISA portable
#include "cast.inc"
