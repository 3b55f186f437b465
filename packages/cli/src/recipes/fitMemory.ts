import { type Backend, checkGpuMemory, checkMemory, type RunOptions } from '@fmri2image/core';
import { createBackend } from '@fmri2image/node';
import type { Context } from '../context.ts';
import { backendOptions } from '../options.ts';
import type { FitRecipeFlags } from './fitRecipe.ts';
import { gpuCeiling } from './gpuMemory.ts';
import type { Plan } from './plan.ts';
import { inMemoryBytes, type OpenedRecording } from './recording.ts';

/** What a run computes with: settings whose ceilings are divided, and a device that was opened with its share of them. */
export interface DividedMemory {
  readonly options: RunOptions;
  /** Closes the device, if it is one of this run alone. */
  dispose(): Promise<void>;
}

/**
 * Divides the ceilings of process and device among the parts of a run, before anything is made.
 *
 * @throws OUT_OF_MEMORY with both numbers; USAGE for a ceiling of a GPU that is not there
 */
export async function divideMemory(
  { recipe, designs }: Plan,
  recording: OpenedRecording,
  flags: FitRecipeFlags,
  { backend, signal }: Context,
): Promise<DividedMemory> {
  const gpu = gpuCeiling(backend, flags.gpuMemory);
  const settings = {
    keep: keptBy(flags),
    precision: recipe.precision,
    storage: flags.storage,
    memory: backendOptions(flags).memoryLimit,
  };
  const resident = process.memoryUsage().rss + inMemoryBytes(recording);
  const share = checkMemory(designs, settings, resident);
  if (gpu) checkGpuMemory(designs, settings, gpu);
  // A device that computes in the memory of the process has a share of its ceiling; a GPU has memory of its own.
  const memoryLimit = gpu?.bytes ?? (share && Math.floor(share));
  let limited: Backend | undefined;
  if (memoryLimit !== undefined) limited = await createBackend({ ...backendOptions(flags), memoryLimit });
  return {
    options: { ...settings, backend: limited ?? backend, deviceMemory: gpu?.bytes, resident, signal },
    async dispose() {
      await limited?.dispose();
    },
  };
}

/** Predictions beside a bundle come of the same pass as its weights. */
function keptBy({ keep, predictions }: FitRecipeFlags): RunOptions['keep'] {
  if (keep === 'predictions') return keep;
  return predictions === undefined ? 'weights' : 'both';
}
