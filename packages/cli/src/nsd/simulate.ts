import { type Backend, createRandom, type Rows, simulatePopulation } from '@fmri2image/core';
import type { LaidOutTrial } from './write.ts';

export interface NsdSimulation {
  readonly seed: number;
  readonly voxels: number;
  readonly trainPictures: number;
  readonly testPictures: number;
  /** Presentations of each test picture. */
  readonly repeats: number;
  readonly size: number;
  readonly noise: number;
}

/** At this scale a session holds fewer trials than the 750 of NSD. */
const SESSIONS = 2;
const DEGREES = 8.4;

/**
 * Betas of one simulated person over an experiment of the shape of NSD: training pictures once, test pictures repeatedly,
 * mixed over sessions; each voxel of mean 0 and deviation 1 within each session, as MindEye2 has them.
 */
export async function simulateNsd(
  { seed, voxels, trainPictures, testPictures, repeats, size, noise }: NsdSimulation,
  backend: Backend,
  signal: AbortSignal,
): Promise<{
  readonly betas: Rows & { readonly data: Float32Array };
  readonly trials: readonly LaidOutTrial[];
  readonly sessionTrials: number;
}> {
  const random = createRandom(seed);
  const pictures = trainPictures + testPictures;
  const shown = [
    ...Array.from({ length: trainPictures }, (_, picture) => picture),
    ...Array.from({ length: testPictures * repeats }, (_, i) => trainPictures + Math.floor(i / repeats)),
  ];
  const order = random.shuffle(shown);
  const { betas: respond } = await simulatePopulation(
    { seed, size, degrees: DEGREES, subjects: 1, voxels, pictures, features: 1, noise },
    backend,
    { signal },
  );
  // Pictures of NSD are numbered among 73,000; ours lie anywhere among them.
  const numbers = random.shuffle(Array.from({ length: 73_000 }, (_, i) => i)).slice(0, pictures);
  const seenBefore = new Map<number, number>();
  const trials = order.map((picture, trial): LaidOutTrial => {
    const repeat = seenBefore.get(picture) ?? 0;
    seenBefore.set(picture, repeat + 1);
    const split = picture >= trainPictures ? 'new_test' : 'train';
    return { image: numbers[picture]!, trial, split, repeat };
  });
  const sessionTrials = Math.ceil(order.length / SESSIONS);
  const betas = respond(0, order);
  normaliseSessions(betas.data, voxels, sessionTrials);
  return { betas, trials, sessionTrials };
}

/** StandardScaler of scikit-learn, session by session: mean 0, deviation 1 (ddof 0); what does not vary becomes 0. */
function normaliseSessions(data: Float32Array, voxels: number, sessionTrials: number): void {
  const trials = data.length / voxels;
  for (let start = 0; start < trials; start += sessionTrials) {
    const end = Math.min(trials, start + sessionTrials);
    for (let v = 0; v < voxels; v++) {
      let [sum, squares] = [0, 0];
      for (let t = start; t < end; t++) sum += data[t * voxels + v]!;
      const mean = sum / (end - start);
      for (let t = start; t < end; t++) squares += (data[t * voxels + v]! - mean) ** 2;
      const deviation = Math.sqrt(squares / (end - start)) || 1;
      for (let t = start; t < end; t++) data[t * voxels + v] = (data[t * voxels + v]! - mean) / deviation;
    }
  }
}
