import { describe, expect, it, vi } from 'vitest';
import { bytesSyncSource, encodeHdf5, type NdArray, openHdf5, type SyncSource } from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';

const [trials, voxels] = [120, 33];
const data = Float32Array.from({ length: trials * voxels }, (_, i) => Math.sin(i) * 2 ** (i % 9));
const betas: NdArray = { dtype: 'f32', shape: [trials, voxels], data };
const counts: NdArray = { dtype: 'i16', shape: [3], data: Int16Array.of(-1, 2, 3) };
const bytes = await encodeHdf5({
  betas: { array: betas },
  packed: { array: betas, chunks: [16, voxels], deflate: 4 },
  counts: { array: counts },
});
const rows = (from: number, to: number) => data.subarray(from * voxels, to * voxels);

const thrown = (work: () => unknown) => errorOf((async () => work())());

/** A source that counts what is read of it. */
function counting(content: Uint8Array): SyncSource & { read: number } {
  const source = bytesSyncSource(content, 'betas.hdf5');
  const counted = {
    ...source,
    read: 0,
    readSync(offset: number, length: number) {
      counted.read += length;
      return source.readSync(offset, length);
    },
  };
  return counted;
}

describe('HDF5', () => {
  it('lists arrays of numbers and reads them, whole and by rows', async () => {
    const file = await openHdf5(bytesSyncSource(bytes, 'betas.hdf5'));
    expect(
      [...file.datasets.values()].map(({ name, dtype, shape, filters }) => [name, dtype, shape, filters]),
    ).toEqual([
      ['betas', 'f32', [trials, voxels], []],
      ['counts', 'i16', [3], []],
      ['packed', 'f32', [trials, voxels], ['deflate']],
    ]);
    expect(file.read('counts')).toEqual(counts);
    for (const name of ['betas', 'packed']) {
      expect(file.read(name)).toEqual(betas);
      expect(file.readRows(name, 15, 35)).toEqual({ dtype: 'f32', shape: [20, voxels], data: rows(15, 35) });
      expect(file.readRows(name, 7, 7).data).toEqual(new Float32Array(0));
    }
    file.close();
    file.close();
    expect(await thrown(() => file.read('betas'))).toMatchObject({ code: 'DISPOSED' });
  });

  it('writes groups, and says which name it cannot write', async () => {
    const file = await openHdf5(
      bytesSyncSource(await encodeHdf5({ 'a/b/c': { array: counts }, 'a/d': { array: betas } }), 'x.h5'),
    );
    expect(file.groups).toEqual(['a', 'a/b']);
    expect(file.read('a/b/c')).toEqual(counts);
    file.close();
    const taken = { a: { array: counts }, 'a/b': { array: counts } };
    expect(await errorOf(encodeHdf5(taken))).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'a/b' });
  });

  it('reads nothing any more once the library itself broke', async () => {
    // Modules of their own: what is given up stays so.
    vi.resetModules();
    const { loadHdf5Library } = await import('../../src/data/formats/hdf5Library.ts');
    const { openHdf5: open } = await import('../../src/data/formats/hdf5.ts');
    const { errorOf: ownErrorOf } = await import('./helpers/errors.ts');
    const file = await open(bytesSyncSource(bytes, 'first.h5'));
    const spy = vi.spyOn(await loadHdf5Library(), 'get_dataset_data').mockImplementation(() => {
      throw Object.assign(new Error('unreachable'), { name: 'RuntimeError' });
    });
    try {
      expect(await ownErrorOf((async () => file.read('counts'))())).toMatchObject({
        code: 'FORMAT',
        file: 'first.h5',
      });
      const later = await ownErrorOf(open(bytesSyncSource(bytes, 'second.h5')));
      expect(later).toMatchObject({ code: 'INTERNAL' });
      expect(later.message).toMatch(/broke on first\.h5/);
    } finally {
      spy.mockRestore();
      file.close();
      vi.resetModules();
    }
  });

  it('is read by two copies of the package that share the library', async () => {
    const copy = async () => {
      vi.resetModules();
      const { openHdf5: open } = await import('../../src/data/formats/hdf5.ts');
      return open(bytesSyncSource(bytes, 'betas.hdf5'));
    };
    try {
      const [first, second] = [await copy(), await copy()];
      for (const file of [first, second]) expect(file.read('counts')).toEqual(counts);
      for (const file of [first, second]) file.close();
    } finally {
      vi.resetModules();
    }
  });

  it('reads only the rows that are asked for, and two files at once', async () => {
    const tall: NdArray = { dtype: 'f32', shape: [4000, 400], data: new Float32Array(1_600_000).fill(3) };
    const source = counting(await encodeHdf5({ betas: { array: tall } }));
    const [large, small] = [await openHdf5(source), await openHdf5(bytesSyncSource(bytes, 'other.hdf5'))];
    const before = source.read;
    expect(large.readRows('betas', 1000, 1002).data.every((value) => value === 3)).toBe(true);
    expect(source.read - before).toBeLessThan(200_000);
    large.close();
    expect(small.readRows('betas', 3, 4).data).toEqual(rows(3, 4));
    small.close();
  });

  it('refuses rows and datasets that there are not', async () => {
    const file = await openHdf5(bytesSyncSource(bytes, 'betas.hdf5'));
    expect(await thrown(() => file.readRows('betas', 119, 121))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'betas',
      expected: '0 <= start <= end <= 120',
    });
    // As h5py prints a name.
    expect(file.read('/betas')).toEqual(file.read('betas'));
    const missing = await thrown(() => file.read('/beta'));
    expect(missing).toMatchObject({ code: 'FORMAT', field: '/beta' });
    expect((missing as Error).message).not.toMatch(/found/);
    expect(await thrown(() => file.read('beta'))).toMatchObject({
      code: 'FORMAT',
      file: 'betas.hdf5',
      field: 'beta',
      expected: 'betas, counts, packed',
    });
    file.close();
  });

  it('does not believe a size that no file of its length can have', async () => {
    const lying = await encodeHdf5({ a: { array: counts, chunks: [3], deflate: 1 } });
    // The extent and the largest extent of [3], as 64-bit numbers.
    const at = Buffer.from(lying).indexOf(Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]));
    for (const place of [at, at + 8]) lying.set([0, 0, 0, 64], place);
    const error = await thrown(async () => (await openHdf5(bytesSyncSource(lying, 'lie.h5'))).read('a'));
    expect(error).toMatchObject({ code: 'FORMAT', file: 'lie.h5', field: 'a', found: `${2 ** 31} bytes` });
  });

  it('reads blocks, and what is attached to datasets', async () => {
    const attributes = { class: 'single', count: -7 };
    const file = await openHdf5(
      bytesSyncSource(await encodeHdf5({ a: { array: betas, attributes } }), 'a.h5'),
    );
    expect(file.attributes('a')).toEqual(new Map<string, string | number>(Object.entries(attributes)));
    const block = file.readBlock('a', [
      [2, 4],
      [30, 33],
    ]);
    const expected = [2, 3].flatMap((row) => [...rows(row, row + 1).subarray(30)]);
    expect(block).toEqual({ dtype: 'f32', shape: [2, 3], data: Float32Array.from(expected) });
    const beyond = () => file.readBlock('a', [[0, 1]]);
    expect(await thrown(beyond)).toMatchObject({ code: 'INVALID_ARGUMENT', found: '[0, 1)' });
    file.close();
  });

  it('names a compression that it cannot undo', async () => {
    const foreign = bytes.slice();
    // The pipeline's message: number of the filter, length of its name, flags, count of its values, name.
    const name = new TextDecoder('latin1').decode(foreign).indexOf('deflate');
    foreign.set([0x00, 0x7d], name - 8);
    const file = await openHdf5(bytesSyncSource(foreign, 'betas.hdf5'));
    expect(file.datasets.get('packed')?.filters).toEqual(['lzf']);
    expect(await thrown(() => file.readRows('packed', 0, 1))).toMatchObject({
      code: 'UNSUPPORTED',
      field: 'packed',
      found: 'lzf',
    });
    expect(file.readRows('betas', 0, 1).data).toEqual(rows(0, 1));
    file.close();
  });

  it('refuses damaged and foreign files, and passes on why the medium failed', async () => {
    expect(await thrown(() => openHdf5(bytesSyncSource(new Uint8Array(600), 'x.hdf5')))).toMatchObject({
      code: 'FORMAT',
      file: 'x.hdf5',
    });
    for (const length of [100, 2000, bytes.length - 40]) {
      const cut = bytesSyncSource(bytes.subarray(0, length), 'cut.hdf5');
      const error = await thrown(async () => {
        const file = await openHdf5(cut);
        for (const name of file.datasets.keys()) file.read(name);
      });
      expect(error, `${length} bytes`).toMatchObject({
        code: 'FORMAT',
        file: 'cut.hdf5',
        expected: `${bytes.length} bytes`,
        found: `${length}`,
      });
    }
    const damaged = bytes.slice();
    const zlib = new TextDecoder('latin1').decode(damaged).lastIndexOf('x^');
    damaged.fill(0x55, zlib + 20, zlib + 60);
    const broken = await openHdf5(bytesSyncSource(damaged, 'damaged.hdf5'));
    expect(await thrown(() => broken.read('packed'))).toMatchObject({ code: 'FORMAT', field: 'packed' });
    broken.close();

    let failing = false;
    const source = counting(bytes);
    const file = await openHdf5({
      ...source,
      readSync(offset, length) {
        if (failing) throw new Error('the disk is gone');
        return source.readSync(offset, length);
      },
    });
    failing = true;
    const failed = await thrown(() => file.read('packed'));
    expect(failed).toMatchObject({ code: 'IO', file: 'betas.hdf5', field: 'packed' });
    expect(String(failed.cause)).toMatch(/the disk is gone/);
    failing = false;
    expect(file.read('packed')).toEqual(betas);
    file.close();
  });
});
