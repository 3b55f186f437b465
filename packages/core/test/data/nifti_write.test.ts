import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  encodeNifti,
  gzipPieces,
  joinBytes,
  niftiOfVoxels,
  openNifti,
  type VoxelPlaces,
} from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return joinBytes(all);
}

const affine = [
  [-2, 0, 0, 90.5],
  [0, 1.5, 0.25, -126],
  [0, -0.25, 3, -72],
];
const places: VoxelPlaces = {
  indices: Int32Array.of(1, 4, 23),
  space: { kind: 'image', grid: [2, 3, 4], affine },
};
const maps = [Float32Array.of(1, 2, 3), Float32Array.of(-1, Number.NaN, 0.5)];
const thrown = (work: () => unknown) => errorOf((async () => work())());

describe('maps of voxels', () => {
  it.each([true, false])('lie in the study’s space, gzip %s', async (gzip) => {
    const options = { gzip, intentCode: 1001, intentName: 'weights', description: 'ridge' };
    const bytes = await collect(niftiOfVoxels(maps, 2, places, options));
    const { header, readVolume } = await openNifti(bytesSource(bytes, gzip ? 'w.nii.gz' : 'w.nii'));
    expect(header).toMatchObject({
      version: 1,
      compressed: gzip,
      shape: [2, 3, 4, 2],
      dtype: 'f32',
      affine: [...affine, [0, 0, 0, 1]],
      affineFrom: 'sform',
      sformCode: 1,
      intentCode: 1001,
      intentName: 'weights',
      description: 'ridge',
    });
    // Spacings are the lengths of the columns.
    expect(header.spacing[1]).toBeCloseTo(Math.hypot(1.5, 0.25), 6);
    const expected = new Float32Array(24);
    expected.set([-1], 1);
    expected.set([Number.NaN], 4);
    expected.set([0.5], 23);
    expect(await readVolume(1)).toEqual(expected);
  });

  it('have three axes where there is one, and what is asked for outside', async () => {
    const bytes = await collect(
      niftiOfVoxels(maps.slice(0, 1), 1, places, { gzip: false, outside: Number.NaN }),
    );
    const { header, readVolume } = await openNifti(bytesSource(bytes, 'w.nii'));
    expect(header.shape).toEqual([2, 3, 4]);
    const volume = await readVolume(0);
    expect([volume[1], volume[4], volume[23]]).toEqual([1, 2, 3]);
    expect([...volume].filter(Number.isNaN)).toHaveLength(21);
  });

  it('are refused where they are not as announced, or have no place', async () => {
    const write = (given: Float32Array[], count: number) => collect(niftiOfVoxels(given, count, places));
    expect((await errorOf(write(maps, 3))).message).toMatch(/expected 3 maps, found 2/);
    expect((await errorOf(write(maps, 1))).message).toMatch(/expected 1 maps, found more/);
    expect((await errorOf(write([new Float32Array(2)], 1))).message).toMatch(/expected 3 voxels, found 2/);
    const table = { indices: places.indices, space: { kind: 'table', names: [] } };
    expect((await thrown(() => niftiOfVoxels(maps, 2, table))).code).toBe('UNSUPPORTED');
    const beyond = { ...places, indices: Int32Array.of(24) };
    expect((await thrown(() => niftiOfVoxels(maps, 2, beyond))).message).toMatch(
      /expected 0 to 23, found 24/,
    );
  });
});

describe('NIfTI headers', () => {
  it('are of version 2 where extents ask for it', async () => {
    const data = Int16Array.from({ length: 40_000 }, (_, i) => i - 20_000);
    const bytes = encodeNifti({
      data,
      dtype: 'i16',
      shape: [1, 1, 1, 40_000],
      affine,
      tr: 0.8,
      sformCode: 4,
      intentName: 'beta',
    });
    const { header, readVolume } = await openNifti(bytesSource(bytes, 'x.nii'));
    expect(header).toMatchObject({
      version: 2,
      tr: 0.8,
      sformCode: 4,
      intentName: 'beta',
      shape: [1, 1, 1, 40_000],
    });
    expect(header.affine).toEqual([...affine, [0, 0, 0, 1]]);
    expect(await readVolume(39_999)).toEqual(Int16Array.of(19_999));
    const error = await thrown(() => encodeNifti({ data, dtype: 'i16', shape: [40_000], version: 1 }));
    expect(error.message).toMatch(/NIfTI-1 holds 1 to 7 axes of 1 to 32767; found \[40000\]/);
  });

  it('keep words within their fields, letters whole', async () => {
    const description = 'é'.repeat(60);
    const bytes = encodeNifti({
      data: new Uint8Array(1),
      dtype: 'u8',
      shape: [1],
      description,
      intentName: 'a'.repeat(40),
    });
    expect(bytes.subarray(148, 228).indexOf(0)).toBe(78);
    const { header } = await openNifti(bytesSource(bytes, 'x.nii'));
    expect(header.intentName).toBe('a'.repeat(15));
  });

  it('refuse affines that are none', async () => {
    const bad = [[1, 0, 0, Number.NaN], ...affine.slice(1)];
    const error = await thrown(() =>
      encodeNifti({ data: new Uint8Array(1), dtype: 'u8', shape: [1], affine: bad }),
    );
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'affine' });
  });
});

describe('gzipPieces', () => {
  it('passes on what went wrong with the content, and takes no more of it than is read', async () => {
    const failing = function* () {
      yield new Uint8Array(10);
      throw new Error('the disk is gone');
    };
    await expect(collect(gzipPieces(failing()))).rejects.toThrow('the disk is gone');
    let ended = false;
    const endless = function* () {
      try {
        for (let i = 0; ; i++)
          yield Uint8Array.from({ length: 1 << 16 }, (_, k) => Math.imul(i + k, 2654435761) >>> 24);
      } finally {
        ended = true;
      }
    };
    for await (const _ of gzipPieces(endless())) break;
    expect(ended).toBe(true);
    const controller = new AbortController();
    controller.abort();
    expect((await errorOf(collect(gzipPieces([new Uint8Array(9)], controller.signal)))).code).toBe(
      'CANCELLED',
    );
  });
});
