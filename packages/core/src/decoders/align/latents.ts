import { F2iError, throwIfAborted } from '../../error.ts';
import { dense } from '../../nn/layers.ts';
import type { Network } from '../../nn/network.ts';
import type { OpOptions } from '../../ops/index.ts';
import { type Rows, rowExtents } from '../../rows.ts';

/** Trials that are computed together. */
const TRIALS_AT_ONCE = 256;
/** Layers of subjects that a model may have. */
const MAXIMUM_SUBJECTS = 1000;

/** Responses of a subject that the shared model was trained on. */
export interface Teacher {
  /** Its index in the model: `ridge.linears.{subject}`. */
  readonly subject: number;
  /** [trials, voxels of that subject] */
  readonly betas: Rows;
  /** Name of what was shown in each trial. */
  readonly stimuli: readonly string[];
}

/** Values by the name of a stimulus, all of one length. */
export type ByStimulus = ReadonlyMap<string, Float32Array>;

/**
 * Where the trials of one subject lie in the space that all subjects share: its own linear layer of the model.
 *
 * @param network holds `ridge.linears.{subject}`
 * @returns [trials, h]
 * @throws INVALID_ARGUMENT for a subject or a number of voxels that the model does not know
 */
export async function subjectLatents(
  network: Network,
  subject: number,
  betas: Rows,
  { signal }: OpOptions = {},
): Promise<Rows & { readonly data: Float32Array }> {
  const [trials, voxels] = rowExtents(betas, 'betas');
  const layer = `ridge.linears.${subject}`;
  if (!network.has(`${layer}.weight`)) {
    const known = Array.from({ length: MAXIMUM_SUBJECTS }, (_, s) => s).filter((s) =>
      network.has(`ridge.linears.${s}.weight`),
    );
    const expected = known.join(' or ') || 'none: it has no layers of subjects';
    throw invalid('subject', 'the model has no layer of this subject', expected, `${subject}`);
  }
  const weights = network.matrix(`${layer}.weight`);
  const expected = weights[0]!.shape[1]!;
  if (voxels !== expected) {
    throw invalid('betas', `subject ${subject} of the model has other voxels`, `${expected}`, `${voxels}`);
  }
  const h = weights.reduce((sum, shard) => sum + shard.shape[0]!, 0);
  const latents = new Float32Array(trials * h);
  for (let start = 0; start < trials; start += TRIALS_AT_ONCE) {
    throwIfAborted(signal, 'alignment');
    const end = Math.min(trials, start + TRIALS_AT_ONCE);
    const some = Float32Array.from(betas.data.subarray(start * voxels, end * voxels));
    const [values] = await network.backend.compute(() => [
      dense(network, layer, network.backend.tensor(some, [end - start, voxels]), { signal }),
    ]);
    latents.set(values as Float32Array, start * h);
  }
  return { data: latents, shape: [trials, h] };
}

/** The mean of the rows of each stimulus. */
export function averageByStimulus(values: Rows, stimuli: readonly string[], field: string): ByStimulus {
  const [trials, width] = rowExtents(values, field);
  if (stimuli.length !== trials) {
    throw invalid(field, 'one stimulus for each trial', `${trials}`, `${stimuli.length}`);
  }
  const sums = new Map<string, { sum: Float64Array; count: number }>();
  for (const [trial, name] of stimuli.entries()) {
    const entry = sums.get(name) ?? { sum: new Float64Array(width), count: 0 };
    for (let i = 0; i < width; i++) entry.sum[i]! += values.data[trial * width + i]!;
    entry.count++;
    sums.set(name, entry);
  }
  return new Map(
    [...sums].map(([name, { sum, count }]) => [name, Float32Array.from(sum, (value) => value / count)]),
  );
}

export function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
