import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  bytesSyncSource,
  type ElementArray,
  type ElementType,
  encodeMatlab5,
  hdf5Pieces,
  joinBytes,
  openHdf5,
  openMatlab,
} from '../../src/index.ts';

async function* inTurn(pieces: readonly ElementArray[]) {
  yield* pieces;
}

const written = async (name: string, dtype: ElementType, shape: number[], pieces: ElementArray[]) => {
  const bytes: Uint8Array[] = [];
  for await (const piece of hdf5Pieces({ name, dtype, shape }, inTurn(pieces))) bytes.push(piece);
  return joinBytes(bytes);
};

describe('files written piece by piece', () => {
  it('HDF5 are read back, of every type of number', async () => {
    for (const [dtype, data] of [
      ['f32', Float32Array.of(1.5, -2, 3e8, 4, 5, -0.25)],
      ['f64', Float64Array.of(1e-300, 2, 3, 4, 5, 6)],
      ['f16', Uint16Array.of(0x3c00, 0xc000, 0, 1, 2, 3)],
      ['i16', Int16Array.of(-32768, 32767, 0, 1, -1, 2)],
      ['u8', Uint8Array.of(0, 255, 3, 4, 5, 6)],
      ['i64', BigInt64Array.of(-1n, 2n ** 60n, 0n, 1n, 2n, 3n)],
    ] as [ElementType, ElementArray][]) {
      const bytes = await written('betas', dtype, [2, 1, 3], [data.subarray(0, 1), data.subarray(1)]);
      const file = await openHdf5(bytesSyncSource(bytes, 'made.hdf5'));
      expect([...file.datasets.keys()]).toEqual(['betas']);
      expect(file.datasets.get('betas')).toMatchObject({ dtype, shape: [2, 1, 3], chunks: undefined });
      expect(file.read('betas').data).toEqual(data);
      expect(file.readRows('betas', 1, 2).data).toEqual(data.subarray(3));
      file.close();
    }
    await expect(written('x', 'f32', [4], [new Float32Array(3)])).rejects.toThrow(/4 elements .* found 3/);
    await expect(written('x', 'f32', [4], [new Float32Array(5)])).rejects.toThrow(/found more/);
    await expect(written('x', 'bool', [1], [new Uint8Array(1)])).rejects.toThrow(/HDF5 files of bool/);
  });

  it('MATLAB 5 are read back by rows', async () => {
    const data = Float64Array.of(1, 2, 3, 4, 5, 6.5);
    const bytes = encodeMatlab5({
      subjectim: { shape: [2, 3], data },
      order: { shape: [1, 1], data: Float64Array.of(7) },
    });
    const file = await openMatlab(bytesSource(bytes, 'made.mat'));
    expect(file.arrays.get('subjectim')).toMatchObject({ className: 'double', shape: [2, 3] });
    expect((await file.read('subjectim')).data).toEqual(data);
    expect((await file.read('order')).data).toEqual(Float64Array.of(7));
    expect(() => encodeMatlab5({ a: { shape: [2, 2], data } })).toThrow(/4 numbers/);
  });
});
