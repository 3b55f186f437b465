import type { Kernel } from './kernel.ts';
import { encodeTriangularSolve, solvePrograms } from './solve.ts';

/** Two triangular solves in place. */
export const choleskySolve: Kernel = {
  programs: solvePrograms,
  encode({ inputs: [l, b], outputs: [y] }, encoder) {
    encoder.copy(b!, y!);
    encodeTriangularSolve(encoder, l!, y!, false);
    encodeTriangularSolve(encoder, l!, y!, true);
  },
};
