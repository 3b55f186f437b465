import { centredProduct, columnMean } from './column_stats.ts';
import { colsOf, type ReferenceKernel } from './kernel.ts';

export const pearsonColumns: ReferenceKernel = ([a, b], [y]) => {
  for (let j = 0; j < colsOf(a!); j++) {
    const meanA = columnMean(a!, j);
    const meanB = columnMean(b!, j);
    const varA = centredProduct(a!, meanA, a!, meanA, j);
    const varB = centredProduct(b!, meanB, b!, meanB, j);
    const cov = centredProduct(a!, meanA, b!, meanB, j);
    // Two roots: the product of the variances could overflow or vanish.
    y!.data[j] = varA === 0 || varB === 0 ? 0 : cov / (Math.sqrt(varA) * Math.sqrt(varB));
  }
};
