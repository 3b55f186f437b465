import type { Design } from '../decoders/ridge/streamed/types.ts';
import type { RidgeForm } from '../decoders/ridge/types.ts';
import type { RunOptions } from './runTypes.ts';

/** The smaller equations, unless weights of one kind were asked for. */
export function formOf(
  { train, voxels }: Pick<Design, 'train' | 'voxels'>,
  { storage = 'auto' }: Pick<RunOptions, 'storage'>,
): RidgeForm {
  if (storage !== 'auto') return storage;
  return voxels < train ? 'primal' : 'dual';
}
