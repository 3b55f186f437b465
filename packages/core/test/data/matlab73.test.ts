import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  encodeHdf5,
  inspectFile,
  type NdArray,
  openMatlab,
  readArray,
} from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';

/** As MATLAB writes with -v7.3: an HDF5 file after a block of 512 bytes that begins like its other files. */
async function matlab73(datasets: Parameters<typeof encodeHdf5>[0]): Promise<Buffer> {
  const block = Buffer.alloc(512);
  block.fill(' ', 0, 116).write('MATLAB 7.3 MAT-file, written by a test');
  block.set([0, 2, 0x49, 0x4d], 124);
  return Buffer.concat([block, await encodeHdf5(datasets)]);
}

const f64 = (shape: number[], values: number[]): NdArray => ({
  dtype: 'f64',
  shape,
  data: Float64Array.from(values),
});
const u16 = (shape: number[], text: string): NdArray => ({
  dtype: 'u16',
  shape,
  data: Uint16Array.from(text, (letter) => letter.charCodeAt(0)),
});
const of = (MATLAB_class: string) => ({ attributes: { MATLAB_class } });

const bytes = await matlab73({
  // MATLAB's [1 2 3; 4 5 6]: HDF5 sees its columns as rows.
  betas: { array: f64([3, 2], [1, 4, 2, 5, 3, 6]), chunks: [2, 2], deflate: 1, ...of('double') },
  cube: {
    array: f64(
      [2, 3, 4],
      Array.from({ length: 24 }, (_, i) => i),
    ),
    ...of('double'),
  },
  mask: { array: { dtype: 'u8', shape: [3, 1], data: Uint8Array.of(1, 0, 1) }, ...of('logical') },
  none: {
    array: { dtype: 'u64', shape: [2], data: BigUint64Array.of(0n, 3n) },
    attributes: { MATLAB_class: 'double', MATLAB_empty: 1 },
  },
  area: { array: u16([4, 1], 'früh'), ...of('char') },
  rows: { array: u16([3, 2], 'adbecf'), ...of('char') },
  table: { array: f64([1, 1], [1]), ...of('table') },
});
const source = bytesSource(bytes, 'x.mat');

describe('MATLAB 7.3', () => {
  it('reads arrays by columns, texts, booleans and empty ones', async () => {
    const file = await openMatlab(source);
    expect(file.version).toBe('7.3');
    expect(await file.read('betas')).toEqual(f64([2, 3], [1, 2, 3, 4, 5, 6]));
    expect(await file.readRows('betas', 1, 2)).toEqual(f64([1, 3], [4, 5, 6]));
    expect(await file.readLast('betas', 1, 3)).toEqual(f64([2, 2], [2, 3, 5, 6]));
    // Element (i, j, k) of MATLAB's 4 x 3 x 2 array is (k, j, i) of HDF5's.
    const cube = await file.read('cube');
    expect(cube.shape).toEqual([4, 3, 2]);
    expect(cube.data[(2 * 3 + 1) * 2 + 1]).toBe((1 * 3 + 1) * 4 + 2);
    expect(await file.read('mask')).toEqual({ dtype: 'bool', shape: [1, 3], data: Uint8Array.of(1, 0, 1) });
    expect(await file.read('none')).toEqual(f64([0, 3], []));
    expect(await file.readText('area')).toEqual(['früh']);
    expect(await file.readText('rows')).toEqual(['abc', 'def']);
    expect(file.others.get('table')).toMatch(/of class table/);
    expect((await errorOf(file.read('table'))).code).toBe('UNSUPPORTED');
    expect((await errorOf(file.read('area'))).message).toMatch(/readText/);
    expect((await errorOf(file.read('nothing'))).message).toMatch(/no such array; expected area, betas/);
    expect((await errorOf(file.readRows('betas', 0, 3))).code).toBe('INVALID_ARGUMENT');
    file.close();
    file.close();
    expect((await errorOf(file.read('betas'))).code).toBe('DISPOSED');
  });

  it('is told from HDF5 by its header, and read by name', async () => {
    expect(await inspectFile(source)).toMatchObject({ format: 'matlab', details: { version: '7.3' } });
    expect((await readArray(source, { array: 'betas' })).shape).toEqual([2, 3]);
    const plain = bytesSource(bytes.subarray(512), 'x.h5');
    expect(await inspectFile(plain)).toMatchObject({
      format: 'hdf5',
      arrays: expect.arrayContaining([{ name: 'betas', dtype: 'f64', shape: [3, 2] }]),
      details: { compression: 'deflate' },
    });
    expect((await readArray(plain, { array: 'betas' })).shape).toEqual([3, 2]);
  });

  it('needs a file that can be read at once, and says so', async () => {
    const { openSync: _, ...waiting } = source;
    for (const work of [openMatlab(waiting), inspectFile(waiting)]) {
      expect(await errorOf(work)).toMatchObject({ code: 'UNSUPPORTED', file: 'x.mat' });
    }
  });

  it('refuses types that contradict their classes, and empty arrays that are not', async () => {
    const wrong = await matlab73({ a: { array: f64([1, 1], [1]), ...of('single') } });
    expect(await errorOf(openMatlab(bytesSource(wrong, 'x.mat')))).toMatchObject({
      code: 'FORMAT',
      field: 'a',
      found: 'f64',
    });
    const full = await matlab73({
      a: {
        array: { dtype: 'u64', shape: [2], data: BigUint64Array.of(2n, 3n) },
        attributes: { MATLAB_class: 'double', MATLAB_empty: 1 },
      },
    });
    expect(await errorOf(openMatlab(bytesSource(full, 'x.mat')))).toMatchObject({
      code: 'FORMAT',
      field: 'a',
    });
    const cut = bytesSource(bytes.subarray(0, bytes.length - 300), 'x.mat');
    expect(await errorOf(openMatlab(cut).then((file) => file.read('cube')))).toMatchObject({
      code: 'FORMAT',
      file: 'x.mat',
    });
  });
});
