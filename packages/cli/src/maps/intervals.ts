import { weightIntervals } from '@fmri2image/core';
import type { Context } from '../context.ts';
import { usage } from '../options.ts';
import { type BundleReadout, namedTargets } from './bundle.ts';
import type { MadeMap } from './made.ts';

/** What a bootstrap draws together. */
export const DRAWN = ['trial', 'run', 'session'] as const;
export type Drawn = (typeof DRAWN)[number];

/** Of a trial, as studies and recordings tell it. */
interface TrialPlace {
  readonly run: string;
  readonly session?: string | undefined;
}

/**
 * Intervals of the weights of one target: maps of both limits and of the standard error.
 *
 * @param trials of the study or recording that was fitted on
 * @throws USAGE where weights do not tell residuals, or rows belong to no run
 */
export async function intervalMaps(
  { model, readout, columns, rowTrials }: BundleReadout,
  trials: readonly TrialPlace[],
  { target, draws, over }: { target: readonly string[] | undefined; draws: number; over: Drawn },
  { backend, signal, console }: Context,
): Promise<{ maps: MadeMap[]; notes: readonly string[] }> {
  const targets = namedTargets(model, target);
  if (readout.targets > 1 && targets?.length !== 1) {
    throw usage('--intervals are of the signed weights of one target: --target NAME');
  }
  if (!readout.design || readout.form !== 'dual') {
    throw usage(
      '--intervals need the weights of training rows: a bundle that was fitted with --storage dual',
    );
  }
  const made = await weightIntervals(readout, {
    backend,
    signal,
    targets: targets ?? [0],
    groups: over === 'trial' ? undefined : labelsOf(rowTrials, trials, over),
    draws,
    onProgress: ({ done, total }) => console.progress('intervals', done / total),
  });
  const { level, groups } = made;
  const percent = `${Math.round(100 * level)} %`;
  const shared = {
    units: made.units,
    notes: made.notes,
    columns,
    details: {
      Targets: target ?? 'all',
      Level: level,
      Draws: draws,
      Over: over === 'trial' ? 'training rows' : `${over}s`,
      Groups: groups,
    },
  };
  const of = target ? ` of ${target.join(', ')}` : '';
  const limit = (side: 'lower' | 'upper'): MadeMap => ({
    ...shared,
    name: `weights${side}`,
    title: `Weights${of}: ${side} limit (${percent})`,
    description: made.description,
    scale: 'diverging',
    values: made[side],
  });
  return {
    notes: made.notes,
    maps: [
      limit('lower'),
      limit('upper'),
      {
        ...shared,
        name: 'weightsse',
        title: `Weights${of}: standard error`,
        description: made.description.replace(/^.*? of the weight/, 'standard error of the weight'),
        scale: 'sequential',
        values: made.standardError,
      },
    ],
  };
}

function labelsOf(
  rowTrials: readonly number[] | undefined,
  trials: readonly TrialPlace[],
  over: Exclude<Drawn, 'trial'>,
): string[] {
  if (!rowTrials) {
    throw usage(
      `--intervals-over ${over} needs rows of one trial each, of the study that was fitted on; averages belong to no ${over}: --intervals-over trial`,
    );
  }
  return rowTrials.map((row) => {
    const { session = '', run } = trials[row]!;
    return over === 'session' ? session : `${session} ${run}`;
  });
}
