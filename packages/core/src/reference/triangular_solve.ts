import type { TriangularSolveAttributes } from '../ops/triangular_solve.ts';
import { colsOf, type ReferenceKernel, rowsOf, type View } from './kernel.ts';

/** Forward substitution, or backward with the transpose; y starts as a copy of b. */
export const triangularSolve: ReferenceKernel<TriangularSolveAttributes> = ([l, b], [y], { transpose }) => {
  y!.data.set(b!.data);
  if (transpose) solveTransposed(l!, y!);
  else solveLower(l!, y!);
};

/** y <- l^-1 y. */
export function solveLower(l: View, y: View): void {
  const n = rowsOf(y);
  const t = colsOf(y);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) {
      for (let j = 0; j < t; j++) y.data[i * t + j]! -= l.data[i * n + k]! * y.data[k * t + j]!;
    }
    for (let j = 0; j < t; j++) y.data[i * t + j]! /= l.data[i * n + i]!;
  }
}

/** y <- l^-T y. */
export function solveTransposed(l: View, y: View): void {
  const n = rowsOf(y);
  const t = colsOf(y);
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) {
      for (let j = 0; j < t; j++) y.data[i * t + j]! -= l.data[k * n + i]! * y.data[k * t + j]!;
    }
    for (let j = 0; j < t; j++) y.data[i * t + j]! /= l.data[i * n + i]!;
  }
}
