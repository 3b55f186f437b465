import { type TargetIntervals, weightIntervals } from '@fmri2image/core';
import type { Context } from '../context.ts';
import { usage } from '../options.ts';
import { type BundleReadout, namedTargets, targetsInWords } from './bundle.ts';
import type { MadeMap } from './made.ts';
import { colourLimit } from './mosaic.ts';

/** What a bootstrap draws together. */
export const DRAWN = ['trial', 'run', 'session'] as const;
export type Drawn = (typeof DRAWN)[number];

/** Of a trial, as studies and recordings tell it. */
interface TrialPlace {
  readonly run: string;
  readonly session?: string | undefined;
}

/**
 * Intervals of the weights of one target: maps of both limits, of the standard error, and of the weights in standard errors,
 * which is the one to look at. Weights and limits end their colours at one value, so that they can be compared.
 *
 * @param weights map of the weights, as it was made
 * @param trials of the study or recording that was fitted on
 * @throws USAGE where weights do not tell residuals, or rows belong to no run
 */
export async function intervalMaps(
  { model, readout, columns, rowTrials }: BundleReadout,
  trials: readonly TrialPlace[],
  weights: MadeMap,
  { target, draws, over }: { target: readonly string[] | undefined; draws: number; over: Drawn },
  { backend, signal, console }: Context,
): Promise<{ weights: MadeMap; maps: MadeMap[]; notes: readonly string[] }> {
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
  const [found] = made.targets as [TargetIntervals];
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
  const shownTo = Math.max(...[weights.values, found.lower, found.upper].map(colourLimit));
  const of = target ? ` of ${targetsInWords(target)}` : '';
  const limit = (side: 'lower' | 'upper'): MadeMap => ({
    ...shared,
    name: `weights${side}`,
    title: `Weights${of}: ${side} limit (${percent})`,
    description: made.description,
    scale: 'diverging',
    values: found[side],
    colourLimit: shownTo,
  });
  const { standardError } = found;
  return {
    weights: { ...weights, colourLimit: shownTo },
    notes: made.notes,
    maps: [
      {
        ...shared,
        name: 'weightsratio',
        title: `Weights${of} in standard errors`,
        units: 'standard errors of the weight',
        description: 'the weight over its standard error: how far it stands out from noise',
        scale: 'diverging',
        // A voxel that never varies has neither weight nor error.
        values: weights.values.map((value, v) => (standardError[v]! > 0 ? value / standardError[v]! : 0)),
        notes: [...made.notes, clearOfZero(found, level)],
      },
      limit('lower'),
      limit('upper'),
      {
        ...shared,
        name: 'weightsse',
        title: `Weights${of}: standard error`,
        description: made.description.replace(/^.*? of the weight/, 'standard error of the weight'),
        scale: 'sequential',
        values: standardError,
      },
    ],
  };
}

/** How many intervals do not hold 0, beside what noise alone gives. */
function clearOfZero({ lower, upper, standardError }: TargetIntervals, level: number): string {
  const varying = standardError.reduce((sum, error) => sum + Number(error > 0), 0);
  const clear = lower.reduce((sum, value, v) => sum + Number(value > 0 || upper[v]! < 0), 0);
  const share = varying === 0 ? 0 : (100 * clear) / varying;
  return `The ${Math.round(100 * level)} % intervals of ${clear} of ${varying} voxels (${share.toFixed(1)} %) do not hold 0; by chance alone those of about ${Math.round(100 * (1 - level))} % would not`;
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
