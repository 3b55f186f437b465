import { throwIfAborted } from '../../error.ts';
import type { Network } from '../../nn/network.ts';
import type { OpOptions } from '../../ops/index.ts';
import type { Rows } from '../../rows.ts';
import { RidgeDecoder } from '../ridge/decoder.ts';
import { averageByStimulus, type ByStimulus, invalid, subjectLatents, type Teacher } from './latents.ts';
import { stimulusFolds } from './stimulusFolds.ts';

/**
 * Where each stimulus lies in the shared space, as other subjects' brains have it: the mean over its repeats within each
 * subject, then over the subjects that saw it. Averaging takes noise out of the targets that their own layers leave in.
 */
export async function sharedLatents(
  network: Network,
  teachers: readonly Teacher[],
  options: OpOptions = {},
): Promise<ByStimulus> {
  if (teachers.length === 0) throw invalid('teachers', 'no subject to learn from', 'one or more', 'none');
  const sums = new Map<string, { sum: Float64Array; count: number }>();
  for (const { subject, betas, stimuli } of teachers) {
    const latents = await subjectLatents(network, subject, betas, options);
    for (const [name, mean] of averageByStimulus(latents, stimuli, `betas of subject ${subject}`)) {
      const entry = sums.get(name) ?? { sum: new Float64Array(mean.length), count: 0 };
      mean.forEach((value, i) => {
        entry.sum[i]! += value;
      });
      entry.count++;
      sums.set(name, entry);
    }
  }
  return new Map(
    [...sums].map(([name, { sum, count }]) => [name, Float32Array.from(sum, (value) => value / count)]),
  );
}

/**
 * Latents of stimuli that the other subjects never saw: a ridge from features of the stimulus to the shared latents,
 * learned on those that they saw, applied to all that have features. Its predictions take the place of the latents even
 * where those are known, so that all targets are of one kind.
 *
 * @param features of all stimuli, seen by the others or not; each of one length
 */
export async function latentsFromFeatures(
  latents: ByStimulus,
  features: ByStimulus,
  network: Network,
  { signal }: OpOptions = {},
): Promise<ByStimulus> {
  const seen = [...latents.keys()].filter((name) => features.has(name));
  if (seen.length < 2) {
    const found = `${seen.length} of ${latents.size}`;
    throw invalid('features', 'too few stimuli that others saw have features', 'two or more', found);
  }
  const decoder = await RidgeDecoder.fit(
    { voxels: rowsOf(seen, features), targets: rowsOf(seen, latents), groups: stimulusFolds(seen) },
    { perTarget: false },
    { backend: network.backend, signal },
  );
  try {
    const names = [...features.keys()];
    throwIfAborted(signal, 'alignment');
    const predicted = await decoder.predict(rowsOf(names, features), { signal });
    const width = predicted.length / names.length;
    return new Map(names.map((name, i) => [name, predicted.slice(i * width, (i + 1) * width)]));
  } finally {
    decoder.dispose();
  }
}

/** Values of these stimuli as rows. */
export function rowsOf(names: readonly string[], values: ByStimulus): Rows & { readonly data: Float32Array } {
  const width = values.get(names[0]!)!.length;
  const data = new Float32Array(names.length * width);
  for (const [row, name] of names.entries()) {
    const value = values.get(name)!;
    if (value.length !== width) {
      throw invalid(
        `features of ${name}`,
        'not as many values as others have',
        `${width}`,
        `${value.length}`,
      );
    }
    data.set(value, row * width);
  }
  return { data, shape: [names.length, width] };
}
