import { addToNote, readNote } from '../designNote.ts';
import type { RunDesign, RunOptions, WeightedBands } from '../runTypes.ts';
import type { HeadStore } from '../store.ts';
import { bandScale } from './scaledDesign.ts';
import { type BandWeights, bandPrecision, type RunBands, weighBands } from './weighBands.ts';

/**
 * Weights of the bands of a design, which an earlier run or this one chooses.
 *
 * @param number of the design in the run
 * @returns undefined for a design without bands
 */
export async function weightedBands(
  run: RunDesign,
  number: number,
  store: HeadStore,
  options: RunOptions,
): Promise<WeightedBands | undefined> {
  const { bands, design } = run;
  if (!bands) return undefined;
  let weights = readNote(store, number).bands;
  if (!weights) {
    weights = await choose(run, bands, options);
    await addToNote(store, number, { bands: weights });
  }
  const gammas = weights.bands.map(({ weight }) => weight);
  return { weights, scale: bandScale(design.voxels, bands.bands, gammas) };
}

function choose(
  run: RunDesign,
  bands: RunBands,
  { backend, precision, signal, onProgress }: RunOptions,
): Promise<BandWeights> {
  // A design with bands has one head.
  const only = run.heads[0]!;
  return weighBands(run, only, bands, {
    backend,
    precision: bandPrecision(backend, precision),
    signal,
    onProgress: ({ done, total }) =>
      onProgress?.({ phase: 'bands', done, total, head: only.head.name, flops: 0, fileSeconds: 0 }),
  });
}
