#define F2I_ISA avx2
#include "column_stats.inc"
