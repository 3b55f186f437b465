import { describe, expect, it } from 'vitest';
import { bytesSource, inspectFile, openMatlab, readArray, type Source } from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';
import { CLASS, COMPLEX, LOGICAL, MatWriter } from './helpers/matlab_file.ts';

const open = (bytes: Uint8Array) => openMatlab(bytesSource(bytes, 'x.mat'));
const codes = (text: string) => [...text].map((letter) => letter.charCodeAt(0));
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

function counting(bytes: Uint8Array): Source & { read: Source['read']; count: number } {
  const inner = bytesSource(bytes, 'x.mat');
  const source = {
    ...inner,
    count: 0,
    read(offset: number, length: number, signal?: AbortSignal) {
      source.count += length;
      return inner.read(offset, length, signal);
    },
  };
  return source;
}

/** One variable of every kind, each written plainly or compressed. */
function everything(w: MatWriter, pack: (array: Buffer) => Buffer): Buffer {
  const text = (name: string, value: string) =>
    w.matrix(name, CLASS.char, 4, [1, value.length], codes(value));
  return w.file(
    // 2 x 3 by columns: MATLAB's [1 2 3; 4 5 6], in the smallest type that holds it.
    pack(w.matrix('betas', CLASS.double, 2, [2, 3], [1, 4, 2, 5, 3, 6])),
    pack(w.matrix('cube', CLASS.single, 7, [2, 2, 2], [0, 4, 2, 6, 1, 5, 3, 7])),
    pack(w.matrix('wide', CLASS.int64, 12, [1, 2], [2n ** 62n + 1n, -5n])),
    pack(w.matrix('mask', CLASS.uint8, 2, [1, 3], [1, 0, 1], LOGICAL)),
    pack(
      w.array(
        CLASS.double,
        [1, 2],
        'z',
        [w.element(9, w.numbers(9, [1.5, 2])), w.element(3, w.numbers(3, [-3, 4]))],
        COMPLEX,
      ),
    ),
    pack(w.matrix('none', CLASS.double, 9, [0, 3], [])),
    pack(text('area', 'früh')),
    pack(w.array(CLASS.char, [1, 4], 'utf8', [w.element(16, Buffer.from('früh'))])),
    pack(w.matrix('rows', CLASS.char, 4, [2, 3], codes('adbecf'))),
    pack(
      w.struct(
        'roi',
        [1, 1],
        ['mask', 'name'],
        [w.matrix('', CLASS.double, 1, [1, 2], [7, -8]), text('', 'V1')],
      ),
    ),
    pack(
      w.struct(
        'subj',
        [1, 2],
        ['age'],
        [w.matrix('', CLASS.double, 2, [1, 1], [31]), w.matrix('', CLASS.double, 2, [1, 1], [42])],
      ),
    ),
    pack(
      w.array(CLASS.cell, [1, 3], 'labels', [
        text('', 'face'),
        w.matrix('', CLASS.double, 2, [1, 1], [9]),
        w.element(14, Buffer.alloc(0), false),
      ]),
    ),
    // [0 1.5 0; 2 0 -3]
    pack(
      w.array(
        CLASS.sparse,
        [2, 3],
        'thin',
        [
          w.element(5, w.numbers(5, [1, 0, 1])),
          w.element(5, w.numbers(5, [0, 1, 2, 3])),
          w.element(9, w.numbers(9, [2, 1.5, -3])),
        ],
        0,
        3,
      ),
    ),
    pack(w.array(CLASS.handle, [1, 1], 'f', [w.element(14, Buffer.alloc(16), false)])),
    pack(w.array(CLASS.object, [1, 1], 'obj', [w.element(1, Buffer.from('inline'))])),
  );
}

describe('MATLAB 5', () => {
  const cases = [true, false].flatMap((littleEndian) =>
    [true, false].map((compressed) => ({ littleEndian, compressed })),
  );

  it.each(cases)(
    'reads every class: little-endian $littleEndian, compressed $compressed',
    async ({ littleEndian, compressed }) => {
      const w = new MatWriter(littleEndian);
      const file = await open(everything(w, (array) => (compressed ? w.compressed(array) : array)));
      expect(file.version).toBe('5');
      expect(
        [...file.arrays.values()].map(
          ({ name, className, shape }) => `${name} ${className} ${shape.join('x')}`,
        ),
      ).toEqual([
        'betas double 2x3',
        'cube single 2x2x2',
        'wide int64 1x2',
        'mask logical 1x3',
        'z double 1x2',
        'none double 0x3',
        'area char 1x4',
        'utf8 char 1x4',
        'rows char 2x3',
        'roi.mask double 1x2',
        'roi.name char 1x2',
        'subj(1).age double 1x1',
        'subj(2).age double 1x1',
        'labels{1} char 1x4',
        'labels{2} double 1x1',
        'thin double 2x3',
      ]);
      expect([...file.containers.keys()]).toEqual(['roi', 'subj', 'labels', 'labels{3}']);
      expect([...file.others.keys()]).toEqual(['f', 'obj']);
      const numbers = async (name: string, part?: 'imaginary') => [...(await file.read(name, { part })).data];
      expect(await file.read('betas')).toEqual({
        dtype: 'f64',
        shape: [2, 3],
        data: Float64Array.of(1, 2, 3, 4, 5, 6),
      });
      expect(await file.read('cube')).toEqual({
        dtype: 'f32',
        shape: [2, 2, 2],
        data: Float32Array.from(range(8)),
      });
      expect(await file.read('wide')).toEqual({
        dtype: 'i64',
        shape: [1, 2],
        data: BigInt64Array.of(2n ** 62n + 1n, -5n),
      });
      expect(await file.read('mask')).toEqual({ dtype: 'bool', shape: [1, 3], data: Uint8Array.of(1, 0, 1) });
      expect(await numbers('z', 'imaginary')).toEqual([-3, 4]);
      expect([...(await file.read('z', { part: 'real' })).data]).toEqual([1.5, 2]);
      expect(await file.read('none')).toEqual({ dtype: 'f64', shape: [0, 3], data: new Float64Array(0) });
      expect(await numbers('roi.mask')).toEqual([7, -8]);
      expect(await numbers('subj(2).age')).toEqual([42]);
      expect(await numbers('labels{2}')).toEqual([9]);
      expect(await file.read('thin')).toEqual({
        dtype: 'f64',
        shape: [2, 3],
        data: Float64Array.of(0, 1.5, 0, 2, 0, -3),
      });
      expect(await file.readSparse('thin')).toMatchObject({
        rows: Int32Array.of(1, 0, 1),
        starts: Int32Array.of(0, 1, 2, 3),
      });
      for (const name of ['area', 'utf8']) expect(await file.readText(name)).toEqual(['früh']);
      expect(await file.readText('rows')).toEqual(['abc', 'def']);
      expect((await file.readRows('betas', 1, 2)).data).toEqual(Float64Array.of(4, 5, 6));
      expect(await file.readLast('cube', 1, 2)).toEqual({
        dtype: 'f32',
        shape: [2, 2, 1],
        data: Float32Array.of(1, 3, 5, 7),
      });
    },
  );

  it('says why it does not read a thing', async () => {
    const w = new MatWriter();
    const file = await open(everything(w, (array) => array));
    const outcomes: [Promise<unknown>, string, RegExp][] = [
      [file.read('z'), 'UNSUPPORTED', /x\.mat: z: .*complex.*real or imaginary/],
      [file.read('betas', { part: 'imaginary' }), 'UNSUPPORTED', /real/],
      [file.read('area'), 'UNSUPPORTED', /readText/],
      [file.readText('betas'), 'UNSUPPORTED', /not a text but double/],
      [file.read('f'), 'UNSUPPORTED', /a function handle/],
      [file.read('obj'), 'UNSUPPORTED', /an object/],
      [file.read('roi'), 'FORMAT', /not an array of numbers.*struct \[1, 1\] of mask, name/],
      [file.read('beta'), 'FORMAT', /no such array; expected betas, cube/],
      [file.readSparse('betas'), 'UNSUPPORTED', /not a sparse/],
      [file.readRows('thin', 0, 1), 'UNSUPPORTED', /readSparse/],
      [
        file.readRows('betas', 1, 3),
        'INVALID_ARGUMENT',
        /rows out of bounds; expected 0 <= start <= end <= 2/,
      ],
    ];
    for (const [promise, code, words] of outcomes) {
      const error = await errorOf(promise);
      expect(error.code, error.message).toBe(code);
      expect(error.message).toMatch(words);
    }
  });

  it('reads only what is asked for', async () => {
    const w = new MatWriter();
    const [rows, columns] = [3000, 60];
    const values = range(rows * columns).map((i) => i / 3);
    const bytes = w.file(
      w.matrix('big', CLASS.double, 9, [rows, columns], values),
      w.matrix('one', CLASS.double, 9, [1, 1], [5]),
    );
    const source = counting(bytes);
    const file = await openMatlab(source);
    expect(source.count).toBeLessThan(60_000);
    expect([...(await file.read('one')).data]).toEqual([5]);
    const before = source.count;
    const last = await file.readLast('big', 58, 59);
    expect([...last.data].slice(0, 2)).toEqual([values[58 * rows], values[58 * rows + 1]]);
    expect(source.count - before).toBeLessThan(3 * 8 * rows);
    const some = await file.readRows('big', 1500, 1502);
    expect([...some.data]).toEqual(
      [1500, 1501].flatMap((row) => range(columns).map((column) => values[column * rows + row])),
    );
    // Of a compressed variable, its description alone is unpacked.
    const noise = range(200_000).map((i) => Math.sin(i * i));
    const packed = counting(
      w.file(w.compressed(w.matrix('noise', CLASS.double, 9, [noise.length, 1], noise))),
    );
    expect((await inspectFile(packed)).arrays).toEqual([
      { name: 'noise', dtype: 'double', shape: [200_000, 1] },
    ]);
    expect(packed.count).toBeLessThan(packed.size / 2);
  });

  it('gives an array by name, and the only one without', async () => {
    const w = new MatWriter();
    const one = bytesSource(w.file(w.matrix('a', CLASS.double, 2, [1, 2], [3, 4])), 'file');
    expect((await readArray(one)).data).toEqual(Float64Array.of(3, 4));
    const many = bytesSource(everything(w, w.compressed.bind(w)), 'many.mat');
    expect((await errorOf(readArray(many))).message).toMatch(/name the array to read; expected one of betas/);
    expect((await readArray(many, { array: 'roi.mask' })).data).toEqual(Float64Array.of(7, -8));
  });

  const w = new MatWriter();
  const deep = (levels: number): Buffer =>
    range(levels).reduce<Buffer>(
      (inner, i) => w.array(CLASS.cell, [1, 1], i === levels - 1 ? 'deep' : '', [inner]),
      w.matrix('', CLASS.double, 2, [1, 1], [1]),
    );

  it('bounds nesting and numbers of arrays; other variables are still read', async () => {
    const many = w.array(CLASS.cell, [1, 140_000], 'many', [
      Buffer.concat(range(140_000).map(() => w.element(14, Buffer.alloc(0), false))),
    ]);
    const file = await open(
      w.file(w.compressed(deep(40)), w.compressed(many), w.matrix('a', CLASS.double, 2, [1, 1], [3])),
    );
    expect(file.others.get('deep')).toMatch(/nests deeper than 32 levels/);
    expect(file.others.get('many')).toMatch(/more than 131072 arrays/);
    expect([...file.arrays.keys()]).toEqual(['a']);
    expect([...(await open(w.file(deep(20)))).arrays.keys()][0]).toBe(`deep${'{1}'.repeat(20)}`);
  });

  const bad: [string, Buffer, string, RegExp][] = [
    [
      'a lie about the size',
      w.file(w.array(6, [1000, 1000], 'a', [w.element(9, Buffer.alloc(80))])),
      'FORMAT',
      /a: values.*expected 8000000 bytes.*found 80/,
    ],
    [
      'an element beyond its array',
      w.file(w.array(6, [1, 1], 'a', [Buffer.from('0900000000ffff7f', 'hex')])),
      'FORMAT',
      /larger than what holds it/,
    ],
    [
      'a file cut short',
      w.file(w.matrix('a', 6, 9, [9, 9], Array(81).fill(1))).subarray(0, 400),
      'FORMAT',
      /cut short/,
    ],
    ['negative extents', w.file(w.matrix('a', 6, 9, [1, -1], [])), 'FORMAT', /impossible extent/],
    ['a class that is none', w.file(w.matrix('a', 25, 9, [1, 1], [1])), 'FORMAT', /no class of MATLAB/],
    [
      'two of one name',
      w.file(w.matrix('a', 6, 9, [1, 1], [1]), w.matrix('a', 6, 9, [1, 1], [1])),
      'FORMAT',
      /two variables of one name/,
    ],
    [
      'a cell of billions',
      w.file(w.array(1, [2 ** 30, 2 ** 30], 'c', [])),
      'FORMAT',
      /more elements than there is room for/,
    ],
    [
      'a struct of two equal names',
      w.file(w.struct('s', [1, 1], ['a', 'a'], [])),
      'FORMAT',
      /a name occurs twice/,
    ],
    [
      'bytes that are no element',
      Buffer.concat([w.file(), Buffer.alloc(4)]),
      'FORMAT',
      /an element is missing/,
    ],
  ];
  it.each(bad)('refuses %s', async (_, bytes, code, words) => {
    const error = await errorOf(open(bytes));
    expect(error).toMatchObject({ code, file: 'x.mat' });
    expect(error.message).toMatch(words);
  });

  const badNumbers: [string, Buffer, RegExp][] = [
    [
      '2 as a logical',
      w.matrix('a', CLASS.uint8, 2, [1, 2], [1, 2], LOGICAL),
      /expected 0 or 1, found 2 at element 1/,
    ],
    ['300 as an int8', w.matrix('a', CLASS.int8, 3, [1, 1], [300]), /expected a value of i8, found 300/],
    [
      'a fraction as an int64',
      w.matrix('a', CLASS.int64, 9, [1, 1], [0.5]),
      /expected a value of i64, found 0.5/,
    ],
    ['-1 as an uint64', w.matrix('a', CLASS.uint64, 12, [1, 1], [-1n]), /expected a value of u64, found -1/],
    ['a row beyond a sparse matrix', sparse([5], [0, 1, 1]), /expected 0 to 1, found 5/],
    ['rows out of order', sparse([1, 0], [0, 2, 2]), /expected 2 to 1, found 0/],
    ['columns that go back', sparse([1], [0, 2, 1]), /a column ends before it begins/],
    ['columns without elements', sparse([1], [0, 1, 9]), /fewer elements than the columns announce/],
  ];
  function sparse(rows: number[], starts: number[]): Buffer {
    const values = w.element(
      9,
      w.numbers(
        9,
        rows.map(() => 1),
      ),
    );
    return w.array(CLASS.sparse, [2, 2], 'a', [
      w.element(5, w.numbers(5, rows)),
      w.element(5, w.numbers(5, starts)),
      values,
    ]);
  }
  it.each(badNumbers)('refuses %s', async (_, variable, words) => {
    const error = await errorOf((await open(w.file(variable))).read('a'));
    expect(error).toMatchObject({ code: 'FORMAT', file: 'x.mat' });
    expect(error.message).toMatch(words);
  });

  it('does not fill a sparse matrix of billions, and gives its elements', async () => {
    const columns = 100_000;
    const starts = range(columns + 1).map((i) => Math.min(i, 1));
    const parts = [
      w.element(5, w.numbers(5, [7])),
      w.element(5, w.numbers(5, starts)),
      w.element(9, w.numbers(9, [2.5])),
    ];
    const file = await open(w.file(w.array(CLASS.sparse, [2 ** 30, columns], 'a', parts)));
    expect(await errorOf(file.read('a'))).toMatchObject({ code: 'UNSUPPORTED', field: 'a' });
    expect((await file.readSparse('a')).values.data).toEqual(Float64Array.of(2.5));
  });

  it('notices damage to compressed variables by their checksum, and sizes that they cannot have', async () => {
    const bytes = w.file(w.compressed(w.matrix('a', CLASS.double, 9, [50, 1], range(50).map(Math.sin))));
    const flipped = Buffer.from(bytes);
    flipped[flipped.length - 1]! ^= 1;
    expect(await errorOf(open(flipped).then((file) => file.read('a')))).toMatchObject({
      code: 'FORMAT',
      file: 'x.mat',
    });
    const lie = w.matrix('a', CLASS.double, 9, [50, 1], range(50));
    lie.writeUInt32LE(2 ** 31, 4);
    expect((await errorOf(open(w.file(w.compressed(lie))))).message).toMatch(/cannot be as large as stated/);
    const longer = w.compressed(
      Buffer.concat([w.matrix('a', CLASS.double, 9, [1, 1], [1]), Buffer.alloc(8)]),
    );
    expect((await errorOf((await open(w.file(longer))).read('a'))).message).toMatch(/more was compressed/);
  });

  it('names version 4, and what is none', async () => {
    const four = Buffer.alloc(20 + 2 + 48);
    for (const [k, value] of [0, 2, 3, 0, 2].entries()) four.writeInt32LE(value, 4 * k);
    expect(await errorOf(open(four))).toMatchObject({ code: 'UNSUPPORTED', file: 'x.mat' });
    expect(await errorOf(open(Buffer.from('no matrix at all, but text')))).toMatchObject({
      code: 'FORMAT',
      field: 'header',
    });
    expect(await errorOf(inspectFile(bytesSource(four, 'x.mat')))).toMatchObject({ code: 'UNSUPPORTED' });
  });
});
