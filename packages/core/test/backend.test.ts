import { afterAll, describe, expect, it } from 'vitest';
import {
  add,
  createReferenceBackend,
  type DType,
  F2iError,
  gemm,
  type HostArray,
  ReferenceBackend,
  Tensor,
} from '../src/index.ts';

const backend = createReferenceBackend();
afterAll(() => backend.dispose());

describe('tensors', () => {
  it('refuse data that do not fit their shape or type', () => {
    expect(() => backend.tensor(new Float32Array(5), [2, 3])).toThrow(
      /shape does not fit the data.*5 elements/,
    );
    expect(() => backend.tensor(new Float32Array(6), [-2, -3])).toThrow(/not a shape.*\[-2, -3\]/);
    expect(() => backend.tensor(new Float32Array(6), [1.5, 4])).toThrow(/not a shape/);
    expect(() => backend.tensor(new Float32Array(6), [6], 'f64')).toThrow(
      /Float64Array for f64, found Float32Array/,
    );
    expect(() => backend.adopt(new ArrayBuffer(24), [5], 'f32')).toThrow(/6 elements.*f32\[5\]/);
    expect(backend.stats().liveTensors).toBe(0);
  });

  it('have the values of lent memory from its beginning on, and give it back', async () => {
    const { buffer } = Float32Array.of(1, 2, 3, 4);
    const { tensor, returned } = backend.lend(buffer, [3], 'f32');
    expect(buffer.byteLength).toBe(0);
    expect(await tensor.download()).toEqual(Float32Array.of(1, 2, 3));
    tensor.dispose();
    const back = await returned;
    expect(back.byteLength).toBe(16);
    expect(() => backend.lend(back, [5], 'f32')).toThrow(/shape does not fit the memory.*1 to 16 bytes/);
    expect(back.byteLength).toBe(16); // what is refused stays with the caller
  });

  it('take plain lists as f32, or as the type that is named', async () => {
    const cases = [
      [undefined, Float32Array.of(1.1, -2.5)],
      ['f64', Float64Array.of(1.1, -2.5)],
      ['f16', Uint16Array.of(0x3c66, 0xc100)],
      ['i32', Int32Array.of(1, -2)],
    ] as const;
    for (const [dtype, wanted] of cases) {
      const x = backend.tensor([1.1, -2.5], [2], dtype);
      expect(await x.download()).toEqual(wanted);
      x.dispose();
    }
  });

  it('refuse types that there are not', () => {
    const odd = 'i64' as DType;
    for (const make of [
      () => backend.zeros([2], odd),
      () => backend.tensor([1], [1], odd),
      () => backend.adopt(new ArrayBuffer(8), [1], odd),
    ]) {
      expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', found: 'i64' }));
    }
    const small = Int8Array.of(1) as unknown as HostArray;
    expect(() => backend.tensor(small, [1])).toThrow(/found Int8Array/);
  });

  it('say that they do not fit into memory', async () => {
    expect(() => backend.zeros([2 ** 26, 2 ** 26])).toThrow(
      expect.objectContaining({ code: 'OUT_OF_MEMORY', found: 'f32[67108864, 67108864]' }),
    );
    // 2^40 values are more than any JavaScript engine gives: found out when the queue comes to them.
    const column = backend.zeros([2 ** 20, 0]);
    const product = gemm(column, column, { transB: true }).rows(0, 1);
    await expect(product.download()).rejects.toMatchObject({ code: 'OUT_OF_MEMORY', op: 'gemm' });
    await expect(backend.sync()).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
    for (const tensor of backend.liveTensors()) tensor.dispose();
  });

  it('keep the shape they were made with', () => {
    const shape = [2, 3];
    const x = backend.zeros(shape);
    shape[0] = 100;
    expect(x.shape).toEqual([2, 3]);
    expect(() => ((x.shape as number[])[0] = 100)).toThrow(TypeError);
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

describe('a disposed backend', () => {
  it('has no room', async () => {
    const closed = createReferenceBackend();
    await closed.dispose();
    await expect(closed.ready()).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  it('rejects pending waits with DISPOSED where the device says CANCELLED', async () => {
    class Cancelling extends ReferenceBackend {
      #cancel = (_: F2iError) => {};
      protected override waitAll(): Promise<void> {
        return new Promise((_, reject) => {
          this.#cancel = reject;
        });
      }
      protected override async close(): Promise<void> {
        this.#cancel(new F2iError('CANCELLED', 'the queue was closed'));
      }
    }
    const device = new Cancelling();
    const wait = device.sync();
    await Promise.all([
      expect(wait).rejects.toMatchObject({ code: 'DISPOSED', cause: { code: 'CANCELLED' } }),
      device.dispose(),
    ]);
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
