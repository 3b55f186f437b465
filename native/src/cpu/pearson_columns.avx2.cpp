#define F2I_ISA avx2
#include "pearson_columns.inc"
