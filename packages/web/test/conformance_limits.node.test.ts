import { it } from 'vitest';
import { describeOnDevice } from './available.ts';
import { conforms } from './conforms.ts';

/** In Dawn alone: how work is cut is decided before the device sees it, and Chromium runs the same compiler. */
describeOnDevice('conformance within limits', () => {
  it('holds where bindings, grids and dispatches are small', () =>
    conforms({
      limits: { maxBindingBytes: 40_960, maxWorkgroups: 4, maxDispatchFlops: 1e6 },
      filter: /\/f32\/|behaviour/,
      gaps: { 'eigh/f32/several blocks, n = 150': 'the matrix does not fit a binding' },
      least: 300,
    }));

  it('holds for the matrix product in workgroup memory', () =>
    conforms({
      limits: { avoidBarriers: false },
      filter: /^(gemm|gram|cosine_matrix)\/f32/,
      least: 50,
    }));
});
