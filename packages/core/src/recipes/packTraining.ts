import { F2iError } from '../error.ts';
import { transposed, voxelBlocks } from './designs.ts';
import type { RunDesign, RunOptions } from './runTypes.ts';
import type { HeadStore } from './store.ts';

/**
 * What voxels are centred on, and for weights of trials the centred training rows themselves.
 *
 * @param number of the design, whose training rows are kept; undefined: only the centre is wanted
 */
export async function packTraining(
  { design, intercept, heads }: RunDesign,
  number: number | undefined,
  store: HeadStore,
  { keep, signal, onProgress }: RunOptions,
): Promise<Float32Array> {
  const { voxels, train } = design;
  const center = new Float32Array(voxels);
  if (keep === 'predictions' || heads.length === 0) return center;
  const stored = number === undefined ? undefined : await store.training(number, voxels, train);
  for (const [from, to] of voxelBlocks(voxels)) {
    const { train: rows } = await design.read(from, to, signal, { trainOnly: true });
    const columns = transposed(rows, train);
    for (let v = from; v < to; v++) {
      const own = columns.subarray((v - from) * train, (v - from + 1) * train);
      const bad = own.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) {
        throw new F2iError('INVALID_ARGUMENT', 'the responses hold NaN or infinity', {
          field: 'voxels',
          expected: 'finite responses',
          found: `${own[bad]} in voxel ${v}, training row ${bad}`,
        });
      }
      if (!intercept) continue;
      center[v] = own.reduce((sum, value) => sum + value, 0) / train;
      for (let i = 0; i < train; i++) own[i]! -= center[v]!;
    }
    if (stored && to > stored.done) await stored.write(from, to, columns);
    onProgress?.({ phase: 'voxels', done: to, total: voxels, flops: 0, fileSeconds: 0 });
  }
  return center;
}
