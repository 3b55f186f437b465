import type { ReferenceKernel } from './kernel.ts';
import { solveLower, solveTransposed } from './triangular_solve.ts';

export const choleskySolve: ReferenceKernel = ([l, b], [y]) => {
  y!.data.set(b!.data);
  solveLower(l!, y!);
  solveTransposed(l!, y!);
};
