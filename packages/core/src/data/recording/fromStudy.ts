import { F2iError } from '../../error.ts';
import { defaultPreparation, type PreparedStudy, prepareStudy } from '../study/prepare.ts';
import type { Study, Trial } from '../study/study.ts';
import type { RecordedTrial, Recording } from './recording.ts';
import { stimuliInOrder, stimulusNames } from './stimulusOrder.ts';

/**
 * A study as a recording: its trials in the study's order. Of time series, a voxel's response to a trial is the mean over
 * the delays at which the preparation reads it (those around the peak, by default). Where a study has no stimuli, what was
 * shown is what the table of trials names: numbers as they are, names and labels by alphabet.
 *
 * @param prepared default: the study's default preparation
 * @throws INVALID_ARGUMENT where trials name neither stimulus nor label, and for rows that were not made of this study
 */
export function recordingOf(
  study: Study,
  prepared: PreparedStudy = prepareStudy(study, defaultPreparation(study)),
): Recording {
  const voxels = study.selection.indices.length;
  const [rows = 0, columns = 0] = prepared.voxels.shape;
  if (columns === 0 || columns % voxels !== 0 || rows !== study.trials.length) {
    throw new F2iError('INVALID_ARGUMENT', 'prepared rows are not the voxels of the trials', {
      field: study.name,
      expected: `[${study.trials.length}, ${voxels} for each delay]`,
      found: `[${rows}, ${columns}]`,
    });
  }
  const data = meanOfDelays(prepared.voxels.data, rows, voxels);
  const { numbers, stimulusName, stimulusOrder, warning } = shownIn(study);
  const seen = new Map<number, number>();
  const trials = study.trials.map((trial, i): RecordedTrial => {
    const stimulus = numbers[i]!;
    const repeat = seen.get(stimulus) ?? 0;
    seen.set(stimulus, repeat + 1);
    const { run, session = '1', split, label } = trial;
    return { session, run, stimulus, repeat, split, label };
  });
  return {
    name: study.name,
    trials,
    voxels,
    selection: study.selection,
    regions: new Map(),
    ledger: prepared.ledger,
    warnings: warning === undefined ? study.warnings : [...study.warnings, warning],
    stimulusName,
    stimulusOrder,
    readTrials: async (from, to) => data.slice(from * voxels, to * voxels),
    close: () => undefined,
  };
}

/**
 * In which order rows of features of what a study shows are taken: see `stimuliInOrder`. No response is read.
 *
 * @throws INVALID_ARGUMENT where trials name neither stimulus nor label
 */
export function studyInOrder(study: Study): {
  readonly order: string;
  readonly warning?: string | undefined;
} {
  const { numbers, warning, ...named } = shownIn(study);
  return { order: stimuliInOrder(named, numbers), warning };
}

interface Shown {
  /** Of each trial. */
  readonly numbers: readonly number[];
  readonly stimulusName: (stimulus: number) => string;
  readonly stimulusOrder: string;
  readonly warning?: string | undefined;
}

/** What each trial shows: a stimulus of the study, or what the table of trials names, or the label. */
function shownIn({ name, stimuli, trials, indexBase = 0 }: Study): Shown {
  const namedBy = (names: readonly string[]) => (stimulus: number) => names[stimulus] ?? `${stimulus}`;
  const all = <T>(of: (trial: Trial) => T | undefined): T[] | undefined => {
    const values = trials.flatMap((trial) => of(trial) ?? []);
    return values.length === trials.length ? values : undefined;
  };
  const listed = all(({ stimulus }) => stimulus);
  if (stimuli && listed) {
    return {
      numbers: listed,
      stimulusName: namedBy(stimuli.names),
      stimulusOrder: 'as the study lists them',
    };
  }
  const stated = stimuli ? undefined : all(({ stimulusName }) => stimulusName);
  if (stated) {
    const named = stimulusNames(stated);
    if (named) {
      return {
        numbers: stated.map((text) => named.indexOf.get(text)!),
        stimulusName: namedBy(named.names),
        stimulusOrder: 'by name, character by character',
        warning: named.warning,
      };
    }
    const early = stated.findIndex((text) => Number(text) < indexBase);
    if (early >= 0) {
      throw new F2iError('INVALID_ARGUMENT', 'a stimulus before the first', {
        field: `${name}: trial ${early + 1}, stimulus`,
        expected: `${indexBase} or more (indexBase)`,
        found: stated[early],
      });
    }
    return {
      numbers: stated.map((text) => Number(text) - indexBase),
      stimulusName: (stimulus) => `${stimulus + indexBase}`,
      stimulusOrder: 'by number',
    };
  }
  const told = stimuli ? undefined : all(({ label }) => label);
  if (told) {
    const labels = [...new Set(told)].sort();
    return {
      numbers: told.map((label) => labels.indexOf(label)),
      stimulusName: namedBy(labels),
      stimulusOrder: 'by label, character by character',
    };
  }
  const without = trials.findIndex(({ stimulusName, label }) => !stimulusName && !label);
  throw new F2iError('INVALID_ARGUMENT', 'trials must say what they show', {
    field: name,
    expected: 'a stimulus or a label of each trial: a column "stimulus" or "label" in the table of trials',
    found: without < 0 ? 'a stimulus of some, a label of others' : `neither of trial ${without + 1}`,
  });
}

/** [rows, delays x voxels] to [rows, voxels]. */
function meanOfDelays(data: Float32Array, rows: number, voxels: number): Float32Array {
  const delays = data.length / (rows * voxels);
  if (delays === 1) return data;
  const mean = new Float32Array(rows * voxels);
  for (let r = 0; r < rows; r++) {
    for (let v = 0; v < voxels; v++) {
      let sum = 0;
      for (let d = 0; d < delays; d++) sum += data[(r * delays + d) * voxels + v]!;
      mean[r * voxels + v] = sum / delays;
    }
  }
  return mean;
}
