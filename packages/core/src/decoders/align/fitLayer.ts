import type { BundleInput, FittedStep, SawTest } from '../../bundle/contents.ts';
import type { Json } from '../../data/json.ts';
import { takeRows } from '../../data/study/prepare.ts';
import { type Rows, rowExtents } from '../../rows.ts';
import { affineOf } from '../ridge/affine.ts';
import { type FitContext, fitRidgeModel } from '../ridge/fitDecoder.ts';
import { type ByStimulus, invalid } from './latents.ts';
import { stimulusFolds } from './stimulusFolds.ts';
import { rowsOf } from './targets.ts';

/** An hour of a subject that the shared model does not know. */
export interface NewSubject {
  /** [trials, voxels] */
  readonly betas: Rows;
  /** Name of what was shown in each trial. */
  readonly stimuli: readonly string[];
  /** Run of each trial, for the ledger. */
  readonly runs?: ArrayLike<string | number> | undefined;
  /** Which voxels these are. */
  readonly input?: Omit<BundleInput, 'voxels'> | undefined;
  readonly sawTest?: SawTest | undefined;
}

export interface AlignOptions {
  /** Penalties to choose from, or one; as for `RidgeDecoder`. */
  alphas?: readonly number[] | number | undefined;
  /** One penalty for each latent instead of one for all; for shared spaces whose axes mean something. */
  perLatent?: boolean | undefined;
}

/** A subject's linear layer into the shared space: `latent = weight x + bias`, x its betas as they are. */
export interface SubjectLayer {
  /** [h, voxels] row-major, as the model's own layers are stored. */
  readonly weight: Float32Array;
  /** [h] */
  readonly bias: Float32Array;
  readonly voxels: number;
  /** Trials that had a target, of all. */
  readonly trials: { readonly used: number; readonly all: number; readonly stimuli: number };
  readonly input: BundleInput;
  /** What the ridge said, and `explained`: the share of the targets' variance in stimuli that were left out. */
  readonly report: { readonly [key: string]: Json };
  readonly ledger: readonly FittedStep[];
  readonly warnings: readonly string[];
}

/**
 * Fits the layer of a new subject in closed form: ridge regression from its voxels to where the stimuli that it saw lie in
 * the shared space. Everything behind the layer stays as it was trained. One penalty serves all latents (the axes of the
 * shared space have no meaning of their own), chosen over folds that keep the repeats of a stimulus together.
 *
 * The idea is that of MindEye2's fine-tuning (Scotti et al. 2024, arXiv:2403.11207, section 2.1), which trains the layer
 * together with the rest by gradient descent; here the targets come from the other subjects.
 *
 * @param targets latents by stimulus; trials of other stimuli are left out
 * @throws INVALID_ARGUMENT when no two stimuli of the subject have targets
 */
export async function fitSubjectLayer(
  { betas, stimuli, runs, input, sawTest = 'unknown' }: NewSubject,
  targets: ByStimulus,
  options: AlignOptions,
  context: FitContext,
): Promise<SubjectLayer> {
  const [all, voxels] = rowExtents(betas, 'betas');
  if (stimuli.length !== all) {
    throw invalid('stimuli', 'one stimulus for each trial', `${all}`, `${stimuli.length}`);
  }
  const used = stimuli.flatMap((name, trial) => (targets.has(name) ? [trial] : []));
  const shown = used.map((trial) => stimuli[trial]!);
  const distinct = new Set(shown).size;
  if (distinct < 2) {
    throw invalid(
      'stimuli',
      'too few stimuli of the new subject have a place in the shared space',
      'two or more that others saw, or features of them',
      `${distinct} of ${new Set(stimuli).size}`,
    );
  }
  const model = await fitRidgeModel(
    {
      voxels: takeRows(betas, used),
      targets: rowsOf(shown, targets),
      groups: stimulusFolds(shown),
      ...(runs && { runs: used.map((trial) => runs[trial]!) }),
      input,
      sawTest,
    },
    { alphas: options.alphas, perTarget: options.perLatent ?? false, storage: 'primal' },
    context,
  );
  const { weight, bias } = await affineOf(model, context.signal);
  const { crossValidation } = model.report as { crossValidation?: { meanScore: number } };
  const variance = crossValidation && meanVariance(rowsOf(shown, targets));
  return {
    weight,
    bias,
    voxels,
    trials: { used: used.length, all, stimuli: distinct },
    input: model.input,
    report: {
      ...model.report,
      // Of stimuli that were left out, at the penalty that was chosen: 1 - mean squared error / variance.
      ...(variance && { explained: 1 + crossValidation.meanScore / variance }),
    },
    ledger: model.ledger,
    warnings: model.warnings,
  };
}

/** Over trials, then the mean over columns. */
function meanVariance({ data, shape }: Rows): number {
  const [n = 0, width = 0] = shape;
  let sum = 0;
  for (let j = 0; j < width; j++) {
    let [mean, squares] = [0, 0];
    for (let i = 0; i < n; i++) mean += data[i * width + j]! / n;
    for (let i = 0; i < n; i++) squares += (data[i * width + j]! - mean) ** 2;
    sum += squares / n;
  }
  return sum / width;
}
