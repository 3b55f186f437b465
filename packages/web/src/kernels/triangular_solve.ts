import type { TriangularSolveAttributes } from '@fmri2image/core';
import type { Kernel } from './kernel.ts';
import { encodeTriangularSolve, solvePrograms } from './solve.ts';

export const triangularSolve: Kernel<TriangularSolveAttributes> = {
  programs: solvePrograms,
  encode({ inputs: [l, b], outputs: [y], attributes: { transpose } }, encoder) {
    encoder.copy(b!, y!);
    encodeTriangularSolve(encoder, l!, y!, transpose);
  },
};
