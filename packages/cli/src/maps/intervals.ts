import { type TargetIntervals, type WeightIntervals, weightIntervals } from '@fmri2image/core';
import type { Context } from '../context.ts';
import { usage } from '../options.ts';
import { type BundleReadout, namedTargets, targetsInWords } from './bundle.ts';
import { type MadeMap, WEIGHTS_CAUTION } from './made.ts';
import { colourLimit } from './mosaic.ts';

/** What a bootstrap draws together. */
export const DRAWN = ['trial', 'run', 'session'] as const;
export type Drawn = (typeof DRAWN)[number];

/** Of a trial, as studies and recordings tell it. */
interface TrialPlace {
  readonly run: string;
  readonly session?: string | undefined;
}

export interface IntervalSettings {
  /** Targets as the user names them; all when absent. */
  readonly target: readonly string[] | undefined;
  readonly draws: number;
  readonly over: Drawn;
  /** Ceiling of what intervals may take, in bytes. */
  readonly memory: number | undefined;
}

/** More are no longer looked at one by one: each target has five maps. */
const MOST_TARGETS = 12;

/**
 * Intervals of the weights of some targets, one by one: maps of both limits, of the standard error, and of the weights in
 * standard errors, which is the one to look at. Weights and limits of a target end their colours at one value, so that they can
 * be compared. Of several targets each has its signed weights, too, beside the norm over them.
 *
 * @param weights map of the weights, as it was made
 * @param trials of the study or recording that was fitted on
 * @throws USAGE where weights do not tell residuals, rows belong to no run, or targets are too many to look at
 */
export async function intervalMaps(
  { model, readout, columns, rowTrials }: BundleReadout,
  trials: readonly TrialPlace[],
  weights: MadeMap,
  { target, draws, over, memory }: IntervalSettings,
  { backend, signal, console }: Context,
): Promise<{ weights: MadeMap; maps: MadeMap[]; notes: readonly string[] }> {
  const targets = namedTargets(model, target) ?? Array.from({ length: readout.targets }, (_, t) => t);
  if (targets.length > MOST_TARGETS) {
    throw usage(
      `--intervals are of each target by itself, ${MOST_TARGETS} of them at most: --target names some of the ${targets.length}`,
    );
  }
  if (!readout.design || readout.form !== 'dual') {
    throw usage(
      '--intervals need the weights of training rows: a bundle that was fitted with --storage dual',
    );
  }
  const made = await weightIntervals(readout, {
    backend,
    signal,
    targets,
    groups: over === 'trial' ? undefined : labelsOf(rowTrials, trials, over),
    draws,
    memory,
    onProgress: ({ done, total }) => console.progress('intervals', done / total),
  });
  const names = target ?? namesOf(model, targets);
  const suffixes = suffixesOf(names);
  const maps = made.targets.flatMap((found, i) => {
    const about = {
      suffix: suffixes[i]!,
      of: readout.targets > 1 ? ` of ${targetsInWords([names[i]!])}` : '',
      columns,
      details: {
        Targets: readout.targets > 1 ? [names[i]!] : 'all',
        Level: made.level,
        Draws: draws,
        Over: over === 'trial' ? 'training rows' : `${over}s`,
        Groups: made.groups,
      },
    };
    return mapsOfTarget(found, made, about);
  });
  const isSingle = targets.length === 1;
  // Of a single target the map of the weights is there already.
  const [own, ...others] = maps;
  return {
    weights: isSingle
      ? { ...weights, colourLimit: own!.colourLimit, sharesColours: own!.sharesColours }
      : weights,
    notes: made.notes,
    maps: isSingle ? others : maps,
  };
}

/** Weights, ratio, limits and standard error of one target. */
function mapsOfTarget(
  found: TargetIntervals,
  { level, units, notes, description }: WeightIntervals,
  {
    suffix,
    of,
    ...shared
  }: Pick<MadeMap, 'columns' | 'details'> & { readonly suffix: string; readonly of: string },
): MadeMap[] {
  const { weights, lower, upper, standardError } = found;
  const shownTo = Math.max(...[weights, lower, upper].map(colourLimit));
  const about = { ...shared, units, notes, description };
  const sharesColours = 'the weights and both limits of their intervals';
  const limit = (side: 'lower' | 'upper'): MadeMap => ({
    ...about,
    name: `weights${side}${suffix}`,
    title: `Weights${of}: ${side} limit (${Math.round(100 * level)} %)`,
    scale: 'diverging',
    values: found[side],
    colourLimit: shownTo,
    sharesColours,
  });
  return [
    {
      ...about,
      name: `weights${suffix}`,
      title: `Weights${of}`,
      description: 'the weight of the voxel, with its sign',
      scale: 'diverging',
      values: weights,
      colourLimit: shownTo,
      sharesColours,
      caution: WEIGHTS_CAUTION,
    },
    {
      ...about,
      name: `weightsratio${suffix}`,
      title: `Weights${of} in standard errors`,
      units: 'standard errors of the weight',
      description:
        'the weight over its standard error: how far it stands out from noise, which by itself rarely gives 2 or −2',
      scale: 'diverging',
      // A voxel that never varies has neither weight nor error.
      values: weights.map((value, v) => (standardError[v]! > 0 ? value / standardError[v]! : 0)),
      notes: [...notes, clearOfZero(found, level)],
    },
    limit('lower'),
    limit('upper'),
    {
      ...about,
      name: `weightsse${suffix}`,
      title: `Weights${of}: standard error`,
      description: description.replace(/^.*? of the weight/, 'standard error of the weight'),
      scale: 'sequential',
      values: standardError,
    },
  ];
}

/** Labels, or numbers of targets. */
const namesOf = ({ output }: BundleReadout['model'], targets: readonly number[]): string[] =>
  targets.map((target) => (output.kind === 'labels' ? output.names[target]! : `${target}`));

/** What tells names of maps apart: BIDS allows letters and digits. One target needs nothing. */
function suffixesOf(names: readonly string[]): string[] {
  if (names.length === 1) return [''];
  const plain = names.map((name) => name.replace(/[^a-z0-9]/gi, '').toLowerCase());
  const isClear = plain.every((name, i) => name !== '' && plain.indexOf(name) === i);
  // `weights` + `se` would be the name of another map.
  return plain.map((name, i) => `Of${isClear ? `${name[0]!.toUpperCase()}${name.slice(1)}` : i + 1}`);
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
