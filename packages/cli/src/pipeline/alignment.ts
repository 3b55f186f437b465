import {
  averageByStimulus,
  type BundleModel,
  type ByStimulus,
  F2iError,
  type Lineage,
  type Study,
  type Teacher,
  takeRows,
} from '@fmri2image/core';
import { openStudy } from '../study.ts';
import { hasSplits } from './select.ts';

/** A subject of the model and where its trials are. */
export interface TeacherStudy {
  readonly subject: number;
  readonly path: string;
}

/** A study whose rows are trials with stimuli. */
export async function betasOf(path: string, data: string | undefined, signal: AbortSignal): Promise<Study> {
  const study = await openStudy(path, data, signal);
  if (study.rows !== 'trials') {
    throw new F2iError('USAGE', 'alignment takes betas', {
      file: path,
      field: 'voxels',
      expected: 'one row a trial',
      found: 'one row a volume',
    });
  }
  if (!study.stimuli) {
    throw new F2iError('USAGE', 'alignment matches trials by their stimuli', {
      file: path,
      field: 'stimuli',
      expected: 'stimuli with names',
      found: 'none',
    });
  }
  return study;
}

/** Stimuli that the new subject is to be tested on: nothing is learned of them, from anyone. */
export function heldOutStimuli(study: Study): ReadonlySet<string> {
  if (!hasSplits(study)) return new Set();
  const kept = study.trials.flatMap((trial, i) => (trial.split === 'train' ? [] : [i]));
  return new Set(kept.map((trial) => stimulusOf(study, trial)));
}

/** Rows of the betas. */
export const rowsOf = (study: Study, trials: readonly number[]) =>
  trials.map((trial) => study.trials[trial]!.row!);

export function stimulusOf(study: Study, trial: number): string {
  const { stimulus } = study.trials[trial]!;
  if (stimulus !== undefined) return study.stimuli!.names[stimulus]!;
  throw new F2iError('USAGE', 'alignment needs the stimulus of each trial', {
    file: study.name,
    field: `trial ${trial + 1}`,
    expected: 'a stimulus',
    found: 'none',
  });
}

/** What was shown, as features by the name of the stimulus. */
export function featuresOf(study: Study, trials: readonly number[]): ByStimulus {
  const { values, names } = study.stimuli!;
  const width = values.data.length / names.length;
  const shown = [...new Set(trials.map((trial) => study.trials[trial]!.stimulus!))];
  const rows = takeRows(values, shown);
  return averageByStimulus(
    { data: rows.data, shape: [shown.length, width] },
    shown.map((stimulus) => names[stimulus]!),
    `stimuli of ${study.name}`,
  );
}

export async function teacherOf(
  { subject, path }: TeacherStudy,
  held: ReadonlySet<string>,
  features: Map<string, Float32Array>,
  data: string | undefined,
  signal: AbortSignal,
): Promise<Teacher & { readonly study: string }> {
  const study = await betasOf(path, data, signal);
  const trials = study.trials.flatMap((_, i) => (held.has(stimulusOf(study, i)) ? [] : [i]));
  if (trials.length === 0) {
    throw new F2iError('USAGE', 'the teacher saw nothing but stimuli that the new subject is tested on', {
      file: path,
    });
  }
  for (const [name, values] of featuresOf(study, trials)) {
    checkSame(name, values, features.get(name), path);
    features.set(name, values);
  }
  return {
    subject,
    study: study.name,
    betas: takeRows(study.voxels, rowsOf(study, trials)),
    stimuli: trials.map((trial) => stimulusOf(study, trial)),
  };
}

/** @throws USAGE for a model without layers of subjects, and for a teacher that has none there, listing those that do */
export function checkTeachers(model: BundleModel, teachers: readonly TeacherStudy[], file: string): void {
  const { counts } = model.config as { counts?: { readonly subject?: number } };
  const subjects = Array.from({ length: counts?.subject ?? 0 }, (_, subject) => subject);
  if (subjects.length === 0) {
    const message = 'the model has no layers of subjects to put another beside';
    throw new F2iError('USAGE', message, { file, field: 'kind', expected: 'mindeye2', found: model.kind });
  }
  const unknown = teachers.find(({ subject }) => !subjects.includes(subject));
  if (!unknown) return;
  throw new F2iError('USAGE', 'the model has no layer of this subject', {
    file,
    field: '--teacher',
    expected: subjects.length > 3 ? `0 to ${subjects.length - 1}` : subjects.join(' or '),
    found: `${unknown.subject}`,
  });
}

/** What each teacher knew, and how much of it the new subject saw, too. */
export function lineageOf(
  targets: Lineage['targets'],
  teachers: readonly (Teacher & { readonly study: string })[],
  shown: ReadonlySet<string>,
): Lineage {
  return {
    targets,
    teachers: teachers.map(({ subject, study, stimuli }) => {
      const seen = [...new Set(stimuli)];
      const matched = seen.filter((name) => shown.has(name)).length;
      return { subject, study, stimuli: seen.length, matched };
    }),
  };
}

/** Names of rows of a file are their numbers: in another file they may be those of other pictures. */
function checkSame(name: string, values: Float32Array, known: Float32Array | undefined, path: string): void {
  if (!known) return;
  const same = known.length === values.length && known.every((value, i) => value === values[i]);
  if (same) return;
  throw new F2iError('USAGE', 'studies have different stimuli of one name', {
    file: path,
    field: name,
    expected: 'the same values in all studies: stimuli are matched by name',
    found: known.length === values.length ? 'other values' : `${values.length} values, not ${known.length}`,
  });
}
