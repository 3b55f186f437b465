#define F2I_ISA portable
#include "pearson_columns.inc"
