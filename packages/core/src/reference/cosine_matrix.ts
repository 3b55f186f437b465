import { colsOf, dot, type ReferenceKernel, rowsOf, type View } from './kernel.ts';

export const cosineMatrix: ReferenceKernel = ([a, b], [y]) => {
  const d = colsOf(a!);
  const m = rowsOf(b!);
  const normsA = rowNorms(a!);
  const normsB = rowNorms(b!);
  for (let i = 0; i < rowsOf(a!); i++) {
    for (let j = 0; j < m; j++) {
      const norms = normsA[i]! * normsB[j]!;
      y!.data[i * m + j] = norms === 0 ? 0 : dot(a!.data, i * d, b!.data, j * d, d) / norms;
    }
  }
};

function rowNorms(x: View): Float64Array {
  const d = colsOf(x);
  return Float64Array.from({ length: rowsOf(x) }, (_, i) => Math.sqrt(dot(x.data, i * d, x.data, i * d, d)));
}
