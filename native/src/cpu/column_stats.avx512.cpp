#define F2I_ISA avx512
#include "column_stats.inc"
