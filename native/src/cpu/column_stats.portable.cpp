#define F2I_ISA portable
#include "column_stats.inc"
