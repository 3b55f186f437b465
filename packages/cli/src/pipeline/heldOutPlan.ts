import {
  EVENT_DELAYS,
  lagsOfDelays,
  lagVoxels,
  leaveOneGroupOut,
  type NestedFold,
  type PreparedStudy,
  prepareStudy,
  type Rows,
  type Split,
  type Study,
  type TargetSource,
  takeRows,
  targetsInMemory,
  withoutShared,
} from '@fmri2image/core';
import { usage } from '../options.ts';
import { chooseDelays } from './delays.ts';
import { type FitContext, type FitSettings, innerFolds, plannedPreparation } from './fit.ts';
import { type Grouping, labelsOf, selectTrials } from './select.ts';
import { decodesLabels } from './targets.ts';
import { hasTrainAndTest } from './trainTest.ts';

/** What ridge decoders of held-out trials are fitted to, without decoders: for tests and maps that fit many. */
export interface HeldOutPlan {
  /** Each voxel stands in this many columns (one for each delay or lag), as many columns as voxels apart. */
  readonly copies: number;
  readonly voxels: TargetSource;
  /** One row for each trial of the study. */
  readonly targets: Rows & { readonly data: Float32Array };
  readonly folds: readonly (NestedFold & { readonly name: string })[];
  /** Trials that some fold holds out, ascending. */
  readonly held: readonly number[];
  /** What differs from decoders that are fitted one by one, in words. */
  readonly notes: readonly string[];
}

/**
 * Each group held out in turn, or the study's own splits; penalties chosen inside the training trials of a fold, as `fit`
 * does.
 *
 * @param grouping of what is held out; the study's splits when absent
 * @throws USAGE for a study without stimuli or splits
 */
export async function heldOutPlan(
  study: Study,
  grouping: Grouping | undefined,
  settings: FitSettings,
  context: FitContext,
): Promise<HeldOutPlan> {
  const { stimuli } = study;
  if (!stimuli) throw usage(`${study.name} has no stimuli to decode to`);
  if (settings.decoder === 'retinotopic') throw usage('this is for ridge decoders');
  if (settings.bands) throw usage('--bands has weights of its own: this is for plain ridge decoders');
  const notes: string[] = [];
  const splits = splitsOf(study, grouping, notes);
  const folds = splits.map(({ name, train, test }) => {
    const some = Array.from(train, (trial) => study.trials[trial]!);
    const inner = settings.alphas?.length === 1 ? undefined : innerFolds(some, settings, study);
    return { name, train, test, inner };
  });
  const everything = [...new Set(splits.flatMap(({ train }) => [...train]))].sort((a, b) => a - b);
  const chosen = await chooseDelays(study, everything, settings, context);
  if (chosen.delays && (settings.delaySets?.length ?? 2) > 1 && study.continuous) {
    notes.push(
      `responses are read ${chosen.delays.join(', ')} s after their cause, chosen once from all training trials; --delays states them`,
    );
  }
  const prepared = prepareStudy(study, plannedPreparation(study, chosen));
  const voxels = lagged(study, prepared, chosen);
  return {
    copies: voxels.shape[1]! / study.selection.indices.length,
    voxels: targetsInMemory(voxels.data, voxels.shape[0]!),
    targets: takeRows(
      stimuli.values,
      study.trials.map(({ stimulus }) => stimulus!),
    ),
    folds,
    held: splits.flatMap(({ test }) => [...test]).sort((a, b) => a - b),
    notes,
  };
}

function splitsOf(study: Study, grouping: Grouping | undefined, notes: string[]): Split[] {
  if (grouping === undefined) {
    if (!hasTrainAndTest(study)) {
      throw usage(
        `${study.name} states no splits "train" and "test": name --leave-one-out run|session|group`,
      );
    }
    const rows = (split: string) => Int32Array.from(selectTrials(study, { split }));
    return [{ name: 'test', train: rows('train'), test: rows('test') }];
  }
  const groups = leaveOneGroupOut(labelsOf(study.trials, grouping), grouping);
  if (decodesLabels(study)) return groups;
  const splits = withoutShared(
    groups,
    study.trials.map(({ stimulus }) => stimulus),
  );
  if (splits.some(({ train }, i) => train.length < groups[i]!.train.length)) {
    notes.push('training trials that show held-out stimuli were left out, by the true order of the stimuli');
  }
  return splits;
}

/** Prepared rows as a decoder reads them: of continuous stimuli, volumes side by side. */
function lagged(study: Study, { voxels, runs }: PreparedStudy, { delays }: FitSettings) {
  if (!study.continuous)
    return { data: voxels.data, shape: [voxels.shape[0]!, voxels.data.length / voxels.shape[0]!] };
  return lagVoxels(voxels, lagsOfDelays(delays ?? EVENT_DELAYS, study.tr!), runs);
}

/** Columns of some voxels: all their delays. */
export function columnsOf(
  voxels: Int32Array,
  { copies }: Pick<HeldOutPlan, 'copies'>,
  all: number,
): Int32Array {
  return Int32Array.from({ length: copies * voxels.length }, (_, i) => {
    return Math.floor(i / voxels.length) * all + voxels[i % voxels.length]!;
  });
}
