import type { Study, Trial } from '@fmri2image/core';
import { usage } from '../options.ts';

export const GROUPINGS = ['run', 'session', 'group'] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** Label of each trial in a grouping; an error where trials have none. */
export function labelsOf(trials: readonly Trial[], grouping: Grouping): string[] {
  return trials.map((trial, i) => {
    const label = trial[grouping];
    if (label === undefined)
      throw usage(
        `trial ${i + 1} has no ${grouping}: the study must state one for each (a column "${grouping}" of its trials)`,
      );
    return label;
  });
}

export interface TrialFilter {
  split?: string | undefined;
  /** Runs to take, or with `except` to leave out. */
  runs?: readonly string[] | undefined;
  except?: boolean | undefined;
}

/** Trials that a filter takes, as indices; an error that names what exists when it takes none. */
export function selectTrials(study: Study, { split, runs, except = false }: TrialFilter): number[] {
  const known = new Set(study.trials.map((trial) => trial.run));
  const unknown = runs?.find((run) => !known.has(run));
  if (unknown !== undefined)
    throw usage(`no run "${unknown}" in ${study.name}; there are ${[...known].join(', ')}`);
  const taken = study.trials.flatMap((trial, i) => {
    if (split !== undefined && trial.split !== split) return [];
    if (runs && runs.includes(trial.run) === except) return [];
    return [i];
  });
  if (taken.length === 0) {
    const splits = [...new Set(study.trials.map((trial) => trial.split ?? 'none'))].join(', ');
    throw usage(`no trial of ${study.name} is in split "${split}"; there are ${splits}`);
  }
  return taken;
}

export const hasSplits = (study: Study) => study.trials.some((trial) => trial.split !== undefined);
