import type { Backend, GpuCeiling } from '@fmri2image/core';
import { usage } from '../options.ts';

/** Of what is free on a GPU, what a run takes: CUDA itself needs some for its kernels. */
const SHARE = 0.95;

/**
 * The memory of a GPU that a run may take: what was asked for, else nearly all that is free. None of other devices, nor where
 * nobody knows what is free.
 *
 * @param wanted in bytes
 * @throws USAGE if it is asked for where there is no GPU
 */
export function gpuCeiling(
  { info }: Pick<Backend, 'info'>,
  wanted: number | undefined,
): GpuCeiling | undefined {
  if (wanted !== undefined) {
    if (!info.memory) throw usage(`--gpu-memory is of a GPU, and this run computes on ${info.description}`);
    return { bytes: wanted, whose: 'the ceiling that was set (--gpu-memory)' };
  }
  if (info.memory?.free === undefined) return undefined;
  const bytes = Math.floor(info.memory.free * SHARE);
  return { bytes, whose: `95 % of what is free on ${info.description}` };
}
