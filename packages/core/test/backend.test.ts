import { afterAll, describe, expect, it } from 'vitest';
import { add, createReferenceBackend, F2iError, Tensor } from '../src/index.ts';

const backend = createReferenceBackend();
afterAll(() => backend.dispose());

describe('tensors', () => {
  it('refuse data that do not fit their shape or type', () => {
    expect(() => backend.tensor(new Float32Array(5), [2, 3])).toThrow(
      /shape does not fit the data.*5 elements/,
    );
    expect(() => backend.tensor(new Float32Array(6), [-2, -3])).toThrow(/shape does not fit/);
    expect(() => backend.tensor(new Float32Array(6), [1.5, 4])).toThrow(/shape does not fit/);
    expect(() => backend.tensor(new Float32Array(6), [6], 'f64')).toThrow(/element size.*expected f64/);
    expect(() => backend.adopt(new ArrayBuffer(24), [5], 'f32')).toThrow(/6 elements.*f32\[5\]/);
    expect(backend.stats().liveTensors).toBe(0);
  });

  it('take plain lists as f32', async () => {
    const x = backend.tensor([1, 2.5], [2]);
    expect(await x.download()).toEqual(Float32Array.of(1, 2.5));
    x.dispose();
  });

  it('refuse views outside of them', () => {
    const x = backend.zeros([4, 3]);
    expect(() => x.rows(2, 5)).toThrow(/0 <= start <= end <= 4.*\[2, 5\)/);
    expect(() => x.rows(-1, 2)).toThrow(/row range/);
    expect(() => x.reshape(5, 2)).toThrow(/12 elements/);
    x.dispose();
    expect(() => x.rows(0, 1)).toThrow(/after dispose/);
  });

  it('say what they are', () => {
    const x = backend.zeros([4, 3, 2], 'i32');
    expect(String(x)).toBe('Tensor i32[4, 3, 2] on reference');
    expect([x.size, x.byteLength, x.rowCount]).toEqual([24, 96, 12]);
    x.dispose();
  });
});

describe('scope', () => {
  const made = () => backend.stats().liveTensors;

  it('keeps tensors anywhere in its result', () => {
    const { list } = backend.scope(() => {
      const a = backend.zeros([1]);
      backend.zeros([2]);
      return { list: [a, { deep: backend.zeros([3]) }] as const };
    });
    expect(made()).toBe(2);
    list[0].dispose();
    list[1].deep.dispose();
    expect(made()).toBe(0);
  });

  it('hands what an inner scope kept to the outer one', () => {
    const result = backend.scope(() => {
      const inner = backend.scope(() => {
        const kept = backend.zeros([1]);
        add(kept, 1);
        return kept;
      });
      expect(made()).toBe(1);
      return add(inner, 1);
    });
    expect(made()).toBe(1);
    expect(result).toBeInstanceOf(Tensor);
    result.dispose();
  });

  it('does not touch tensors from outside', () => {
    const outside = backend.zeros([1]);
    backend.scope(() => add(outside, 1));
    expect(outside.disposed).toBe(false);
    outside.dispose();
    for (const tensor of backend.liveTensors()) tensor.dispose();
  });

  it('refuses an asynchronous body', () => {
    const body = async () => backend.zeros([1]);
    expect(() => backend.scope(body)).toThrow(F2iError);
    expect(made()).toBe(0);
  });
});
