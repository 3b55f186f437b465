import { describe, expect, it } from 'vitest';
import { choleskyFactor, createReferenceBackend, eigh, gemm, gram, topK } from '../src/index.ts';

describe('ReferenceBackend', () => {
  it('holds f32 tensors in float64: a chain of ops rounds once, at download', async () => {
    using backend = guarded();
    const x = backend.value.tensor(Float32Array.of(1, 2 ** -30), [1, 2]);
    const sum = gemm(x, backend.value.tensor(Float32Array.of(1, 1), [2, 1]));
    const back = gemm(sum, backend.value.tensor(Float32Array.of(1), [1, 1]), {
      c: backend.value.tensor(Float32Array.of(-1), [1, 1]),
    });
    expect(await back.download()).toEqual(Float32Array.of(2 ** -30));
  });
});

function guarded() {
  const value = createReferenceBackend();
  return { value, [Symbol.dispose]: () => void value.dispose() };
}
