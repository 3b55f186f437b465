import {
  type Backend,
  leaveOneGroupOut,
  type Rows,
  type Split,
  type Study,
  withoutShared,
} from '@fmri2image/core';
import type { Console } from '../console.ts';
import { termsOf } from '../terms.ts';
import { withBandScores } from './bandScores.ts';
import { type FitSettings, meanTarget } from './fit.ts';
import { fitDecoder } from './fitDecoder.ts';
import { type FoldRecord, foldRecord } from './folds.ts';
import { FoldWarnings } from './foldWarnings.ts';
import { reconstructTrials } from './reconstruct.ts';
import { provenanceOf, type ResultItem, type Results } from './results.ts';
import { type Grouping, labelsOf } from './select.ts';
import { decodesLabels, kindOf, withTargets } from './targets.ts';
import { trainingRecord } from './training.ts';

interface HeldOut {
  readonly items: ResultItem[];
  readonly values: Rows & { readonly data: Float32Array };
  /** Mean training picture of the fold that each item belongs to. */
  readonly meanPicture: Rows & { readonly data: Float32Array };
  readonly warnings: string[];
  readonly folds: FoldRecord[];
}

/** Results of leaving one out, for `evaluate` and `report`. */
export async function heldOutResults(
  given: Study,
  grouping: Grouping,
  settings: FitSettings,
  context: { backend: Backend; signal: AbortSignal; console: Console },
): Promise<Results> {
  const study = withTargets(given, settings.targets);
  const { warnings, ...held } = await reconstructHeldOut(study, grouping, settings, context);
  const decoder = held.folds[0]!.decoder;
  return {
    ...held,
    kind: kindOf(study),
    labels: decodesLabels(study) ? study.stimuli.names : undefined,
    provenance: provenanceOf(study.name, decoder, 'none', context.backend.info, warnings),
    terms: termsOf({}, study),
  };
}

/**
 * Reconstructs every trial by a decoder that was fitted on all other groups. Everything fitted, alphas included, comes
 * from the training groups alone, and from stimuli that the held-out group does not show.
 */
async function reconstructHeldOut(
  study: Study,
  grouping: Grouping,
  settings: FitSettings,
  context: { backend: Backend; signal: AbortSignal; console: Console },
): Promise<HeldOut> {
  const groups = leaveOneGroupOut(labelsOf(study.trials, grouping), grouping);
  // Labels are there to be seen again; pictures are not.
  const splits = decodesLabels(study)
    ? groups
    : withoutShared(
        groups,
        study.trials.map((trial) => trial.stimulus),
      );
  const pictures = study.stimuli!.kind === 'pictures' ? 'pictures' : 'stimuli';
  const { shape } = study.stimuli!.values;
  const size = study.stimuli!.values.data.length / shape[0]!;
  const values = new Float32Array(study.trials.length * size);
  const means = new Float32Array(values.length);
  const items = new Array<ResultItem>(study.trials.length);
  const warnings = new FoldWarnings();
  const folds: FoldRecord[] = [];
  for (const [i, split] of splits.entries()) {
    context.console.progress(`${split.name} (${i + 1} of ${splits.length})`);
    const training = [...split.train];
    const shared = groups[i]!.train.length - training.length;
    if (shared > 0) {
      warnings.add(split.name, `${shared} training trials that show held-out ${pictures} were left out`);
    }
    for (const label of unseenLabels(study, training)) {
      warnings.add(split.name, `no training trial has the label "${label}"`);
    }
    const { decoder, prepared } = await fitDecoder(study, training, settings, context);
    try {
      const held = await reconstructTrials(study, prepared, decoder, [...split.test], context, {
        seen: () => 'no',
        heldOut: split.name,
      });
      const record = foldRecord(decoder, { heldOut: split.name, training: trainingRecord(study, training) });
      folds.push(await withBandScores(record, decoder, study, prepared, [...split.test], context.signal));
      const mean = meanTarget(study, training).data;
      placeFold(split, held.values.data, values, size);
      for (const [j, trial] of split.test.entries()) {
        items[trial] = held.items[j]!;
        means.set(mean, trial * size);
      }
      for (const warning of decoder.warnings) warnings.add(split.name, withRemedy(warning, settings));
    } finally {
      decoder.dispose();
    }
  }
  const all = [study.trials.length, ...shape.slice(1)];
  return {
    items,
    values: { data: values, shape: all },
    meanPicture: { data: means, shape: all },
    warnings: warnings.summary(splits.length),
    folds,
  };
}

/** Labels that a decoder cannot learn from these trials. */
function unseenLabels(study: Study, training: readonly number[]): string[] {
  if (!decodesLabels(study)) return [];
  const seen = new Set(training.map((trial) => study.trials[trial]!.stimulus));
  return study.stimuli.names.filter((_, i) => !seen.has(i));
}

/** What to try where the grid of alphas was too narrow. */
function withRemedy(warning: string, { perTarget }: FitSettings): string {
  if (!warning.includes('alpha of the grid') || warning.includes('--alphas')) return warning;
  const remedy = 'a wider grid: --alphas';
  return `${warning}; ${perTarget ? `${remedy}; one alpha for all targets: --alpha-for all` : remedy}`;
}

function placeFold({ test }: Split, from: Float32Array, to: Float32Array, size: number): void {
  for (const [j, trial] of test.entries()) to.set(from.subarray(j * size, (j + 1) * size), trial * size);
}
