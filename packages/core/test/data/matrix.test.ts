import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  checkWritten,
  createRandom,
  type ElementArray,
  type ElementType,
  encodeHdf5,
  encodeNpy,
  encodeSafetensors,
  type MatrixSource,
  matrixInMemory,
  memorySink,
  openMatrix,
  ownedMatrix,
  readBlocks,
  type Source,
  toF16Bits,
} from '../../src/index.ts';

const [ROWS, SHAPE] = [37, [3, 5]] as const;
const COLUMNS = 15;

/** Whole numbers, which every type holds: row and column in one. */
const value = (row: number, column: number) => ((row * 31 + column * 7) % 120) + 1;
const values = Array.from({ length: ROWS * COLUMNS }, (_, i) => value(Math.floor(i / COLUMNS), i % COLUMNS));

function elements(dtype: ElementType): ElementArray {
  switch (dtype) {
    case 'f16':
      return Uint16Array.from(values, toF16Bits);
    case 'i64':
      return BigInt64Array.from(values, BigInt);
    case 'u64':
      return BigUint64Array.from(values, BigInt);
    case 'f64':
      return Float64Array.from(values);
    case 'f32':
      return Float32Array.from(values);
    case 'i32':
      return Int32Array.from(values);
    case 'u8':
      return Uint8Array.from(values);
    default:
      throw new Error(dtype);
  }
}

const array = (dtype: ElementType) => ({ dtype, shape: [ROWS, ...SHAPE], data: elements(dtype) });

/** A source that cannot be read at once, as files of a page's main thread, and that counts its reads. */
function waiting(inner: Source): Source & { reads: number } {
  const source = {
    name: inner.name,
    size: inner.size,
    reads: 0,
    async read(offset: number, length: number, signal?: AbortSignal) {
      source.reads++;
      return inner.read(offset, length, signal);
    },
  };
  return source;
}

const npy = (dtype: ElementType = 'f32') => bytesSource(encodeNpy(array(dtype)), 'targets.npy');

/** Wanted rows: out of order, one twice, neighbours and gaps. */
const WANTED = [4, 5, 6, 0, 36, 5, 20, 22, 21];
const RANGES = [
  [0, COLUMNS],
  [0, 1],
  [3, 9],
  [14, 15],
  [1, 14],
  [7, 7],
] as const;

async function expectRows(matrix: MatrixSource): Promise<void> {
  expect([matrix.rows, matrix.columns, matrix.shape]).toEqual([ROWS, COLUMNS, SHAPE]);
  for (const [from, to] of RANGES) {
    const expected = WANTED.flatMap((row) =>
      Array.from({ length: to - from }, (_, j) => value(row, from + j)),
    );
    expect(Array.from(await matrix.read(WANTED, from, to)), `columns ${from} to ${to}`).toEqual(expected);
  }
  const blocks = await readBlocks(matrix, WANTED, [2, 3, 3, 10, 15]);
  expect(blocks.map((block) => Array.from(block))).toEqual(
    [
      [2, 3],
      [3, 3],
      [3, 10],
      [10, 15],
    ].map(([from, to]) =>
      WANTED.flatMap((row) => Array.from({ length: to! - from! }, (_, j) => value(row, from! + j))),
    ),
  );
}

describe('openMatrix', () => {
  const types: ElementType[] = ['f16', 'f32', 'f64', 'u8', 'i32', 'i64', 'u64'];
  it.each(types)('reads rows and columns of npy files of %s', async (dtype) => {
    const matrix = await openMatrix(npy(dtype));
    await expectRows(matrix);
    const block = await matrix.read([0], 0, 1);
    // What float32 cannot hold exactly comes as float64.
    expect(block).toBeInstanceOf(['f16', 'f32', 'u8'].includes(dtype) ? Float32Array : Float64Array);
    matrix.close?.();
  });

  it('gives half precision as it lies, into memory that was used before', async () => {
    const { halves } = await openMatrix(npy('f16'));
    const [large, small] = [new Uint16Array(200).fill(9), new Uint16Array(3)];
    const blocks = await halves!.readBlocks(WANTED, [2, 9, 15], undefined, [large, small]);
    const expected = (from: number, to: number) =>
      WANTED.flatMap((row) => Array.from({ length: to - from }, (_, j) => toF16Bits(value(row, from + j))));
    expect(blocks.map((block) => Array.from(block))).toEqual([expected(2, 9), expected(9, 15)]);
    expect(blocks[0]!.buffer).toBe(large.buffer);
    expect(blocks[1]!.buffer).not.toBe(small.buffer);
    expect((await openMatrix(npy('f32'))).halves).toBeUndefined();
  });

  it.each(['f32', 'f64', 'u8'] as const)('fills arrays of its type that it is given: %s', async (dtype) => {
    const own = new Float64Array(400);
    const other = new Float32Array(400);
    for (const matrix of [await openMatrix(npy(dtype)), matrixInMemory(array('f64') as never)]) {
      const wide = dtype === 'f64' || matrix.name === 'matrix';
      const [fits, refused] = wide ? [own, other] : [other, own];
      const filled = await matrix.read(WANTED, 3, 9, undefined, fits);
      expect(filled.buffer).toBe(fits.buffer);
      expect(Array.from(filled)).toEqual(Array.from(await matrix.read(WANTED, 3, 9, undefined, refused)));
    }
  });

  it('reads big-endian files', async () => {
    const little = encodeNpy(array('f32'));
    const swapped = little.slice();
    const text = new TextDecoder('latin1').decode(little.subarray(0, 128));
    swapped[text.indexOf('<f4')] = '>'.charCodeAt(0);
    const start = little.length - 4 * values.length;
    const view = new DataView(swapped.buffer, start);
    for (const [i, number] of values.entries()) view.setFloat32(4 * i, number, false);
    await expectRows(await openMatrix(bytesSource(swapped, 'big.npy')));
  });

  it('reads where nothing can be read at once, in few pieces', async () => {
    const source = waiting(npy());
    const matrix = await openMatrix(source);
    await expectRows(matrix);
    source.reads = 0;
    const all = Int32Array.from({ length: ROWS }, (_, i) => i);
    await matrix.read(all, 2, 12);
    expect(source.reads).toBe(1);
  });

  it('reads each row once for several blocks, forwards', async () => {
    const inner = npy();
    const offsets: number[] = [];
    const source: Source = {
      ...inner,
      openSync() {
        const sync = inner.openSync!();
        return {
          ...sync,
          readSync(offset, length) {
            offsets.push(offset);
            return sync.readSync(offset, length);
          },
        };
      },
    };
    const matrix = await openMatrix(source);
    await readBlocks(matrix, [9, 2, 30], [0, 2, 4, 6]);
    expect(offsets.length).toBe(3);
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
  });

  it('reads safetensors and HDF5 files by the name of the array', async () => {
    const other = { name: 'other', dtype: 'f32', shape: [2, 1], data: Float32Array.of(1, 2) } as const;
    const tensors = bytesSource(
      encodeSafetensors([other, { name: 'clip', ...array('f16') }]),
      'a.safetensors',
    );
    await expectRows(await openMatrix(tensors, { array: 'clip' }));
    await expect(openMatrix(tensors)).rejects.toMatchObject({ code: 'USAGE', file: 'a.safetensors' });
    await expect(openMatrix(tensors, { array: 'dino' })).rejects.toThrow(
      /dino: no such array; expected one of other, clip/,
    );
    const single = bytesSource(encodeSafetensors([{ name: 'clip', ...array('f64') }]), 'b.safetensors');
    const matrix = await openMatrix(single);
    expect(matrix.name).toBe('b.safetensors: clip');
    await expectRows(matrix);

    for (const dtype of ['f32', 'i32'] as const) {
      const file = bytesSource(
        await encodeHdf5({ clip: { array: array(dtype), chunks: [8, 2, 5], deflate: 1 } }),
        'c.hdf5',
      );
      const hdf5 = await openMatrix(file);
      expect(hdf5.name).toBe('c.hdf5: clip');
      await expectRows(hdf5);
      hdf5.close?.();
      expect((await openMatrix(file, { array: '/clip' })).name).toBe('c.hdf5: clip');
      await expect(hdf5.read([0], 0, 1)).rejects.toMatchObject({ code: 'DISPOSED' });
    }
  });

  it('takes a list of numbers as one column', async () => {
    const list = { dtype: 'f32', shape: [4], data: Float32Array.of(1, 2, 3, 4) } as const;
    for (const bytes of [encodeNpy(list), await encodeHdf5({ x: { array: list } })]) {
      const matrix = await openMatrix(bytesSource(bytes, 'list'));
      expect([matrix.rows, matrix.columns, matrix.shape]).toEqual([4, 1, []]);
      expect([...(await matrix.read([3, 1], 0, 1))]).toEqual([4, 2]);
      matrix.close?.();
    }
  });

  it('refuses what is no matrix, naming the file', async () => {
    const text = (content: string, name: string) => bytesSource(new TextEncoder().encode(content), name);
    const rejects = (source: Source, details: object) =>
      expect(openMatrix(source)).rejects.toMatchObject(details);
    await rejects(text('hello', 'notes.md'), { code: 'FORMAT', file: 'notes.md' });
    const scalar = { dtype: 'f32', shape: [], data: Float32Array.of(1) } as const;
    await rejects(bytesSource(encodeNpy(scalar), 'one.npy'), { code: 'FORMAT', file: 'one.npy' });
    const empty = { dtype: 'f32', shape: [0, 4], data: new Float32Array(0) } as const;
    await rejects(bytesSource(encodeNpy(empty), 'none.npy'), {
      code: 'FORMAT',
      field: 'shape',
      found: '[0, 4]',
    });
    const fortran = encodeNpy(array('f32'));
    const at = new TextDecoder('latin1').decode(fortran.subarray(0, 128)).indexOf('False');
    fortran.set(new TextEncoder().encode('True '), at);
    await rejects(bytesSource(fortran, 'f.npy'), { code: 'UNSUPPORTED', file: 'f.npy' });
    await expect(openMatrix(npy(), { array: 'x' })).rejects.toMatchObject({ code: 'USAGE', field: 'x' });
    // A table is read whole.
    const table = await openMatrix(text('a\tb\n1\t2\n3\t4\n', 'table.tsv'));
    expect([...(await table.read([1, 0], 1, 2))]).toEqual([4, 2]);
  });

  it('refuses rows and columns that there are not', async () => {
    const encoded = await encodeHdf5({ x: { array: array('f32') } });
    for (const matrix of [
      await openMatrix(npy()),
      await openMatrix(bytesSource(encoded, 'x.h5')),
      matrixInMemory({ data: Float32Array.from(values), shape: [ROWS, COLUMNS] }),
    ]) {
      const code = 'INVALID_ARGUMENT';
      for (const row of [-1, ROWS, 0.5]) {
        await expect(matrix.read([0, row], 0, 1)).rejects.toMatchObject({
          code,
          field: 'rows',
          found: `${row}`,
        });
      }
      for (const [from, to] of [
        [-1, 2],
        [0, COLUMNS + 1],
        [3, 2],
      ] as const) {
        await expect(matrix.read([0], from, to)).rejects.toMatchObject({ code, field: 'columns' });
      }
      matrix.close?.();
    }
  });

  it('stops when aborted', async () => {
    const controller = new AbortController();
    controller.abort();
    for (const source of [npy(), waiting(npy())]) {
      const matrix = await openMatrix(source);
      const reading = matrix.read([1, 3], 0, 2, controller.signal);
      await expect(reading).rejects.toMatchObject({ code: 'CANCELLED' });
    }
  });

  it('says when the file is shorter than it was', async () => {
    const whole = npy();
    const short: Source = {
      ...whole,
      openSync: () => bytesSource(encodeNpy(array('f32')).slice(0, 600), 'targets.npy').openSync!(),
    };
    const matrix = await openMatrix(short);
    await expect(matrix.read([ROWS - 1], 0, 1)).rejects.toMatchObject({
      code: 'FORMAT',
      file: 'targets.npy',
    });
  });
});

describe('matrices in memory', () => {
  it('are read as files are', async () => {
    const data = Float32Array.from(values);
    const matrix = matrixInMemory({ data, shape: [ROWS, ...SHAPE] });
    await expectRows(matrix);
    // A copy: the caller may give it away.
    expect((await matrix.read([0], 0, COLUMNS)).buffer).not.toBe(data.buffer);
  });

  it('fill an array that was used before, if it suits', async () => {
    const data = Float32Array.from(values);
    const matrix = matrixInMemory({ data, shape: [ROWS, ...SHAPE] });
    const fresh = await matrix.read([2, 0], 1, 4);
    const into = new Float32Array(10).fill(7);
    const filled = await matrix.read([2, 0], 1, 4, undefined, into);
    expect(filled).toEqual(fresh);
    expect(filled.buffer).toBe(into.buffer);
    expect([...into.subarray(6)]).toEqual([7, 7, 7, 7]);
    for (const other of [new Float32Array(5), new Float64Array(6)]) {
      expect((await matrix.read([2, 0], 1, 4, undefined, other)).buffer).not.toBe(other.buffer);
    }
  });

  it('take blocks of columns', async () => {
    const numbers = createRandom(1).normals(4 * 6);
    const sink = memorySink(4, 6, 'f64');
    const matrix = matrixInMemory({ data: numbers, shape: [4, 6] });
    for (const [from, to] of [
      [0, 1],
      [1, 5],
      [5, 6],
    ] as const) {
      await sink.write(from, to, await matrix.read([0, 1, 2, 3], from, to));
    }
    expect(sink.values).toEqual(numbers);
    await expect(sink.write(4, 7, new Float32Array(12))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(() => checkWritten({ name: 'x', rows: 4, columns: 6 }, 0, 2, new Float32Array(7))).toThrow(
      /x: .*7 values/,
    );
  });
});

describe('ownedMatrix', () => {
  const shape = [ROWS, ...SHAPE];

  it('takes memory over, reads as any matrix does, and gives it back', async () => {
    const data = Float64Array.from(values);
    const matrix = ownedMatrix({ data, shape });
    expect(data.length).toBe(0);
    await expectRows(matrix);
    expect(matrix.take()).toEqual(Float64Array.from(values));
    await expect(matrix.read([0], 0, 1)).rejects.toMatchObject({ code: 'DISPOSED' });
    expect(() => matrix.take()).toThrow(/after take/);
  });

  it('refuses a part of a larger array, which stays whole', () => {
    const large = new Float32Array(values.length + 1);
    expect(() => ownedMatrix({ data: large.subarray(1), shape }, 'vision')).toThrow(
      /only whole memory.* of its 2220 bytes, found one over 2224 bytes/,
    );
    expect(large.length).toBe(values.length + 1);
  });
});
