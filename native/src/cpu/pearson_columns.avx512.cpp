#define F2I_ISA avx512
#include "pearson_columns.inc"
