import { keepsToOwnRun, type SawTest, type Study } from '@fmri2image/core';
import type { FoldRecord } from '../pipeline/folds.ts';
import { ranged, withoutNumbers } from '../pipeline/foldWarnings.ts';
import { trainedTrials } from '../pipeline/training.ts';
import { counted, listed } from './format.ts';

/** A fitted step of one or several folds. */
export interface LedgerRow {
  readonly step: string;
  /** In words: on which runs it was fitted. */
  readonly runs: string;
  readonly sawTest: SawTest;
  readonly note?: string | undefined;
  /** It saw of each run, test runs included, nothing but that run, without labels: nothing passed to training. */
  readonly ownRun?: true | undefined;
  /** In words: in which folds; undefined where one decoder was fitted, and nothing held out in turn. */
  readonly folds: string | undefined;
}

/**
 * The fitted steps of all folds, each once: steps that differ in their numbers alone are merged (`choice of 1021 to 1088
 * voxels`), and runs that follow the fold ("all but those held out") are named so. Steps keep the order in which they
 * were fitted.
 *
 * @param sessions of a recording, whose ledger speaks of sessions instead of runs
 */
export function mergedLedger(
  folds: readonly FoldRecord[],
  study: Study,
  sessions?: readonly string[],
): LedgerRow[] {
  const rows = new Map<
    string,
    {
      step: FoldRecord['ledger'][number];
      where: { fold: number; runs: string; step: string; note: string }[];
    }
  >();
  for (const [f, fold] of folds.entries()) {
    const training = trainingRuns(fold, study);
    for (const step of fold.ledger) {
      const key = withoutNumbers(JSON.stringify([step.step, step.sawTest, step.note]));
      const entry = rows.get(key) ?? { step, where: [] };
      rows.set(key, entry);
      entry.where.push({
        fold: f,
        runs: sessions ? ofSessions(step.runs, sessions) : inWords(step.runs, training, fold, study),
        step: step.step,
        note: step.note ?? '',
      });
    }
  }
  return [...rows.values()].map(({ step, where }) => ({
    step: ranged(where.map((one) => one.step)),
    sawTest: step.sawTest,
    ownRun: keepsToOwnRun(step) || undefined,
    note: step.note === undefined ? undefined : ranged(where.map((one) => one.note)),
    runs: [...new Set(where.map(({ runs }) => runs))].join('; '),
    folds:
      folds.length === 1
        ? undefined
        : new Set(where.map(({ fold }) => fold)).size === folds.length
          ? `all ${folds.length}`
          : listed(where.map(({ fold }) => folds[fold]!.heldOut ?? `fold ${fold + 1}`)),
  }));
}

function ofSessions(fitted: readonly string[], all: readonly string[]): string {
  if (fitted.length === 0) return 'not stated';
  if (fitted.length === all.length) return `all ${counted(all.length, 'session')}`;
  return `${fitted.length === 1 ? 'session' : 'sessions'} ${fitted.length > 12 ? `(${fitted.length} of ${all.length})` : listed(fitted)}`;
}

function trainingRuns({ training }: FoldRecord, study: Study): ReadonlySet<string> | undefined {
  const trials = trainedTrials(training, study);
  return trials && new Set(trials.map((trial) => study.trials[trial]!.run));
}

function inWords(
  runs: readonly string[],
  training: ReadonlySet<string> | undefined,
  fold: FoldRecord,
  study: Study,
): string {
  if (runs.length === 0) return 'not stated';
  const all = new Set(study.trials.map(({ run }) => run));
  if (runs.length === all.size && runs.every((run) => all.has(run))) return `all ${counted(all.size, 'run')}`;
  if (training && runs.length === training.size && runs.every((run) => training.has(run))) {
    if (fold.heldOut !== undefined) return 'the training runs: all but those held out';
    return runs.length > 6 ? `the ${runs.length} training runs` : `the training runs ${listed(runs)}`;
  }
  return runs.length > 6 ? counted(runs.length, 'run') : listed(runs);
}
