import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  encodeNifti,
  encodeNpy,
  loadStudy,
  memoryFolder,
  selectionChecksum,
  type VoxelSelection,
} from '../../src/index.ts';

const text = (value: unknown) =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const trials = text('onset\tlabel\n0\ta\n2\tb\n');
const affine = (x = 0) => [
  [2, 0, 0, x],
  [0, 2, 0, -20],
  [0, 0, 2, 5],
];

async function ofStudy(voxels: object, files: Record<string, Uint8Array>): Promise<VoxelSelection> {
  const manifest = {
    format: 'fmri2image-study',
    version: 1,
    name: 'study of subject 7',
    tr: 2,
    indexBase: 0,
    voxels: { rows: 'volumes', ...voxels },
    trials: { file: 'events.tsv' },
  };
  const all = { 'study.json': text(manifest), 'events.tsv': trials, ...files };
  return (await loadStudy(memoryFolder(Object.entries(all), '/home/anna/data'), 'study.json')).selection;
}

const volumes = (x?: number, values = (i: number) => i % 7) =>
  encodeNifti({
    data: Float32Array.from({ length: 3 * 4 * 2 * 3 }, (_, i) => values(i)),
    dtype: 'f32',
    shape: [3, 4, 2, 3],
    tr: 2,
    affine: affine(x),
  });
const mask = (inside: number[], x?: number) =>
  encodeNifti({
    data: Float32Array.from({ length: 24 }, (_, i) => (inside.includes(i) ? 1 : 0)),
    dtype: 'f32',
    shape: [3, 4, 2],
    affine: affine(x),
  });

describe('the checksum of a voxel selection', () => {
  const image = async (inside: number[], x?: number, name = 'mask.nii', values?: (i: number) => number) =>
    selectionChecksum(
      await ofStudy(
        { file: 'bold.nii', mask: name },
        { 'bold.nii': volumes(x, values), [name]: mask(inside, x) },
      ),
    );

  it('is that of the documented text', async () => {
    // Corners: voxel 0 0 0, and the last in x (2 voxels of 2 mm on), y (3) and z (1).
    const content = 'fmri2image voxels 1\nimage 3 4 2 at 0 -200 50 40 -200 50 0 -140 50 0 -200 70\n1,5,9\n';
    expect(await image([1, 5, 9])).toBe(createHash('sha256').update(content).digest('hex'));
  });

  it('tells voxels, their place and their number apart, but not names of files or values', async () => {
    const same = await image([1, 5, 9]);
    expect(await image([1, 5, 9], 0, 'other.nii', (i) => i % 5)).toBe(same);
    expect(await image([1, 5, 9], 1e-5)).toBe(same);
    for (const other of [
      [1, 5, 8],
      [1, 5],
      [1, 5, 9, 10],
    ])
      expect(await image(other)).not.toBe(same);
    expect(await image([1, 5, 9], 0.5)).not.toBe(same);
  });

  it('goes by the names of a table’s columns', async () => {
    const table = (head: string, drop: string[] = []) =>
      ofStudy(
        { file: 'bold.tsv', dropColumns: drop },
        {
          'bold.tsv': text(
            `${head}\n${[1, 2, 3]
              .map((k) =>
                head
                  .split('\t')
                  .map((_, i) => k * i + k)
                  .join('\t'),
              )
              .join('\n')}\n`,
          ),
        },
      ).then(selectionChecksum);
    const same = await table('left\tright');
    expect(await table('time\tleft\tright', ['time'])).toBe(same);
    expect(await table('left\tmiddle')).not.toBe(same);
    expect(await table('right\tleft')).not.toBe(same);
  });

  it('follows the voxels that are left when bad ones are dropped', async () => {
    const matrix = (bad: number | undefined) =>
      ofStudy(
        { file: 'bold.npy', dropBadVoxels: true },
        {
          'bold.npy': encodeNpy({
            dtype: 'f32',
            shape: [3, 4],
            data: Float32Array.from({ length: 12 }, (_, i) => (i === bad ? Number.NaN : i * i)),
          }),
        },
      ).then(selectionChecksum);
    expect(await matrix(5)).not.toBe(await matrix(undefined));
    expect(await matrix(5)).not.toBe(await matrix(6));
    expect(await matrix(5)).toBe(await matrix(9));
    const table = (dropped: string) =>
      ofStudy(
        { file: 'bold.tsv', dropBadVoxels: true },
        { 'bold.tsv': text(`a\tb\tc\n1\t2\t3\n${dropped}\n4\t3\t9\n`) },
      ).then(({ space }) => space);
    expect(await table('1\tnan\t2')).toEqual({ kind: 'table', names: ['a', 'c'] });
  });

  it('and the description name no folder of the machine', async () => {
    const { description } = await ofStudy({ file: 'bold.nii' }, { 'bold.nii': volumes() });
    expect(description).toBe('all 24 voxels of bold.nii');
  });

  it('is absent where a selection does not say what its indices count in', async () => {
    expect(await selectionChecksum({ description: 'V1', indices: Int32Array.of(1) })).toBeUndefined();
  });
});
