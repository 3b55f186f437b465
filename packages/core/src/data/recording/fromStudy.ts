import { F2iError } from '../../error.ts';
import { defaultPreparation, type PreparedStudy, prepareStudy } from '../study/prepare.ts';
import type { Study } from '../study/study.ts';
import type { RecordedTrial, Recording } from './recording.ts';

/**
 * A study as a recording: its trials in the study's order. Of time series, a voxel's response to a trial is the mean over
 * the delays at which the preparation reads it (those around the peak, by default). Where a study names no stimuli, the
 * identity of what was shown is that of the label, by alphabet.
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
  const labels = [...new Set(study.trials.map(({ label }) => label ?? ''))].sort();
  const names = study.stimuli?.names ?? labels;
  const seen = new Map<number, number>();
  const trials = study.trials.map((trial, i): RecordedTrial => {
    const stimulus =
      trial.stimulus ?? (study.stimuli || !trial.label ? undefined : labels.indexOf(trial.label));
    if (stimulus === undefined) {
      throw new F2iError('INVALID_ARGUMENT', `trial ${i + 1} names neither a stimulus nor a label`, {
        field: study.name,
      });
    }
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
    warnings: study.warnings,
    stimulusName: (stimulus) => names[stimulus] ?? `${stimulus}`,
    stimulusOrder: study.stimuli ? 'as the study lists them' : 'by label, character by character',
    readTrials: async (from, to) => data.slice(from * voxels, to * voxels),
    close: () => undefined,
  };
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
