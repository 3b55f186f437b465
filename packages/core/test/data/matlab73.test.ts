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
import { matlab73File, type Value, withHeader } from './helpers/matlab73_file.ts';

/** Datasets in the file's root, with HDF5's extents. */
const datasetsFile = async (datasets: Parameters<typeof encodeHdf5>[0]) =>
  withHeader(await encodeHdf5(datasets));

const f64 = (shape: number[], values: number[]): NdArray => ({
  dtype: 'f64',
  shape,
  data: Float64Array.from(values),
});
const u16 = (shape: number[], text: string): NdArray => ({
  dtype: 'u16',
  shape,
  data: Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)),
});
const of = (MATLAB_class: string) => ({ attributes: { MATLAB_class } });

const bytes = await datasetsFile({
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
    const wrong = await datasetsFile({ a: { array: f64([1, 1], [1]), ...of('single') } });
    expect(await errorOf(openMatlab(bytesSource(wrong, 'x.mat')))).toMatchObject({
      code: 'FORMAT',
      field: 'a',
      found: 'f64',
    });
    const full = await datasetsFile({
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

const text = (letters: string): Value => ({ className: 'char', array: u16([letters.length, 1], letters) });
const number = (...values: number[]): Value => ({
  className: 'double',
  array: f64([values.length, 1], values),
});
const u64 = (...values: number[]): NdArray => ({
  dtype: 'u64',
  shape: [values.length],
  data: BigUint64Array.from(values, BigInt),
});
const nothing: Value = { className: 'canonical empty', array: u64(0, 0), empty: true };
const open = async (variables: Record<string, Value>) =>
  openMatlab(bytesSource(await matlab73File(variables), 'x.mat'));

describe('cells and structs of MATLAB 7.3', () => {
  it('are followed to their arrays, which have the names of MATLAB', async () => {
    const file = await open({
      labels: {
        cell: [text('V1'), text('hV4 \u00fc\ud83e\udde0'), nothing, undefined, number(7)],
        shape: [5, 1],
      },
      roi: {
        struct: {
          mask: { className: 'logical', array: { dtype: 'u8', shape: [2, 1], data: Uint8Array.of(1, 0) } },
          names: { cell: [text('a'), { cell: [number(1, 2)], shape: [1, 1] }], shape: [1, 2] },
          deep: { struct: { x: number(3) } },
        },
      },
      subjects: {
        structs: [
          { age: number(20), id: text('s1') },
          { age: number(31), id: text('s2') },
        ],
        shape: [2, 1],
      },
      none: { className: 'cell', array: u64(0, 3), empty: true },
    });
    expect([...file.arrays.keys()].sort()).toEqual([
      'labels{1}',
      'labels{2}',
      'labels{5}',
      'roi.deep.x',
      'roi.mask',
      'roi.names{1}',
      'roi.names{2}{1}',
      'subjects(1).age',
      'subjects(1).id',
      'subjects(2).age',
      'subjects(2).id',
    ]);
    expect(Object.fromEntries(file.containers)).toEqual({
      labels: 'cell [1, 5]',
      'labels{3}': 'empty',
      'labels{4}': 'empty',
      roi: 'struct [1, 1] of deep, mask, names',
      'roi.deep': 'struct [1, 1] of x',
      'roi.names': 'cell [2, 1]',
      'roi.names{2}': 'cell [1, 1]',
      subjects: 'struct [1, 2] of age, id',
      none: 'cell [0, 3]',
    });
    expect(await file.readText('labels{2}')).toEqual(['hV4 \u00fc\ud83e\udde0']);
    expect(await file.readText('subjects(2).id')).toEqual(['s2']);
    expect((await file.read('subjects(2).age')).data).toEqual(Float64Array.of(31));
    expect((await file.read('roi.names{2}{1}')).data).toEqual(Float64Array.of(1, 2));
    expect((await file.read('roi.mask')).dtype).toBe('bool');
    expect((await errorOf(file.read('labels'))).message).toMatch(/no such array.*found cell \[1, 5\]/);
    file.close();
  });

  it('complex numbers are read by part, sparse matrices as they are stored or with their zeros', async () => {
    // MATLAB's [1+2i 3+4i; 5+6i 7+8i], by columns.
    const complex: Value = { className: 'double', complex: { ...f64([2, 2], [1, 2, 5, 6, 3, 4, 7, 8]) } };
    const sparse = { data: f64([3], [5, 6, 7]), ir: u64(0, 2, 1), jc: u64(0, 2, 2, 3) };
    const file = await open({
      z: complex,
      s: { sparse, rows: 3, className: 'double' },
      zeros: { sparse: { jc: u64(0, 0, 0) }, rows: 2, className: 'logical' },
    });
    expect((await errorOf(file.read('z'))).message).toMatch(/ask for one part/);
    expect(await file.read('z', { part: 'real' })).toEqual(f64([2, 2], [1, 3, 5, 7]));
    expect(await file.read('z', { part: 'imaginary' })).toEqual(f64([2, 2], [2, 4, 6, 8]));
    expect(await file.readLast('z', 1, 2, { part: 'imaginary' })).toEqual(f64([2, 1], [4, 8]));
    expect(file.arrays.get('s')).toMatchObject({ sparse: true, complex: false, shape: [3, 3] });
    expect(await file.readSparse('s')).toEqual({
      shape: [3, 3],
      rows: Int32Array.of(0, 2, 1),
      starts: Int32Array.of(0, 2, 2, 3),
      values: f64([3], [5, 6, 7]),
    });
    expect(await file.read('s')).toEqual(f64([3, 3], [5, 0, 0, 0, 0, 7, 6, 0, 0]));
    expect(await file.read('zeros')).toMatchObject({ dtype: 'bool', shape: [2, 2], data: new Uint8Array(4) });
    expect((await errorOf(file.readRows('s', 0, 1))).message).toMatch(/readSparse/);
    file.close();
    const wrong = await open({
      s: { sparse: { ...sparse, ir: u64(0, 3, 1) }, rows: 3, className: 'double' },
    });
    expect(await errorOf(wrong.read('s'))).toMatchObject({ code: 'FORMAT', field: 's: row indices' });
    wrong.close();
  });

  it('names what is too deep or too much, and reads the other variables', async () => {
    let deep: Value = number(1);
    for (let level = 0; level < 40; level++) deep = { cell: [deep], shape: [1, 1] };
    const file = await open({ deep, other: number(2) });
    expect([...file.arrays.keys()]).toEqual(['other']);
    expect(file.others.get('deep')).toMatch(/deeper than 32/);
    file.close();
  });

  it('arrays of structs whose fields have different extents, and references to nothing that is there, are damage', async () => {
    const elements = [{ a: number(1), b: number(2) }];
    const two = [...elements, ...elements];
    expect(await errorOf(open({ s: { structs: two, shape: [2, 1], otherShape: [1, 2] } }))).toMatchObject({
      code: 'FORMAT',
      field: 's.b',
      expected: '[1, 2]',
      found: '[2, 1]',
    });
    expect(await errorOf(open({ c: { cell: ['dangling'], shape: [1, 1] } }))).toMatchObject({
      code: 'FORMAT',
      file: 'x.mat',
      field: 'c',
      message: expect.stringMatching(/a reference to what is not in the file/),
    });
  });
});
