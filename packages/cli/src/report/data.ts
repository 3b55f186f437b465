import {
  F2iError,
  pickRows,
  preparationOf,
  prepareStudy,
  type RepeatAgreement,
  type RepeatCeiling,
  type Rows,
  repeatAgreement,
  repeatCeiling,
  type Study,
  takeRows,
} from '@fmri2image/core';
import type { ReadMaps } from '../maps/read.ts';
import type { ScoredResults } from '../pipeline/evaluate.ts';
import type { FitContext } from '../pipeline/fit.ts';
import type { FoldRecord } from '../pipeline/folds.ts';
import type { Provenance, Results } from '../pipeline/results.ts';
import { atPercentiles, atRandom, type Example } from './examples.ts';
import type { Figure } from './plot.ts';

/** What every report says, whatever was decoded. */
export interface ReportCommon {
  readonly study: Study;
  readonly results: Results;
  /** The decoders; empty where the reconstructions do not say how they came about. */
  readonly folds: readonly FoldRecord[];
  /** Oddities and limits, shown first. */
  readonly notes: readonly string[];
  readonly seed: number;
  /** How the reconstructions were made, and how this report was. */
  readonly made: Provenance;
  readonly reported: Provenance;
  readonly figures: Figures;
  /** Made by `fmri2image maps`, where they are to be shown. */
  readonly maps?: ReadMaps | undefined;
}

/** Everything that a report of reconstructions says, before it is words and pictures. */
export interface ReportData extends ReportCommon {
  /** With the scores of all rearrangements. */
  readonly evaluation: ScoredResults;
  /** Whether stimuli may be shown. */
  readonly showStimuli: boolean;
  /** Of the responses to the scored stimuli; undefined without repeats. */
  readonly ceiling: RepeatCeiling | undefined;
  /** Of the reconstructions, where each trial has its own; undefined without repeats. */
  readonly agreement: RepeatAgreement | undefined;
  readonly percentiles: readonly Example[];
  readonly random: readonly Example[];
}

/** Drawn plots by name; those that do not apply are absent. */
export type Figures = ReadonlyMap<string, Figure>;

export interface ReportInput {
  readonly study: Study;
  readonly results: Results;
  readonly evaluation: ScoredResults;
  readonly notes: readonly string[];
  readonly showStimuli: boolean;
  readonly seed: number;
  readonly reported: Provenance;
  readonly maps?: ReadMaps | undefined;
}

/** Computes what the report needs beyond the scores. */
export async function reportData(
  input: ReportInput,
  context: FitContext,
): Promise<Omit<ReportData, 'figures'>> {
  const { study, results, evaluation, seed } = input;
  const scores = evaluation.frameCorrelation.perTrial;
  const items = evaluation.scored.map((index) => results.items[index]!);
  const folds = results.folds ?? [];
  return {
    ...input,
    folds,
    // The responses behind predictions that lie in files were not read.
    ceiling: results.filed
      ? undefined
      : responseCeiling(
          study,
          folds,
          items.flatMap(({ trials }) => trials),
        ),
    agreement: items.every(({ trials }) => trials.length === 1)
      ? await repeatAgreement(
          pickRows(results.filed?.reconstructions ?? results.values, evaluation.scored),
          items.map(({ stimulus }) => stimulus!),
          context,
        )
      : undefined,
    percentiles: atPercentiles(scores),
    random: atRandom(scores.length, seed),
    made: results.provenance,
  };
}

/** Noise ceiling of the voxels as the decoder read them, from the scored trials. */
function responseCeiling(
  study: Study,
  folds: readonly FoldRecord[],
  trials: readonly number[],
): RepeatCeiling | undefined {
  const stimuli = trials.map((trial) => study.trials[trial]!.stimulus);
  if (study.continuous || new Set(stimuli).size === stimuli.length) return undefined;
  const fold = folds[0];
  if (!fold) return undefined;
  try {
    const steps = preparationOf({ input: { preprocess: fold.preprocess } }, 'reconstructions.json');
    const { voxels } = prepareStudy(study, steps);
    return repeatCeiling(meanOverDelays(takeRows(voxels, trials), study.voxels.shape[1]!), stimuli);
  } catch (error) {
    // A preparation of a newer version: the report does without.
    if (error instanceof F2iError && error.code === 'UNSUPPORTED') return undefined;
    throw error;
  }
}

/** Rows that hold each voxel at several delays, side by side, as one value a voxel. */
function meanOverDelays({ data, shape }: Rows, voxels: number): Rows {
  const rows = shape[0]!;
  const delays = data.length / rows / voxels;
  if (delays === 1) return { data, shape };
  const mean = new Float64Array(rows * voxels);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < delays; d++) {
      for (let v = 0; v < voxels; v++) {
        mean[row * voxels + v]! += data[(row * delays + d) * voxels + v]! / delays;
      }
    }
  }
  return { data: mean, shape: [rows, voxels] };
}

/** Scored items of the results, in the order of the scores. */
export function scoredItems({ results, evaluation }: Pick<ReportData, 'results' | 'evaluation'>) {
  return evaluation.scored.map((index) => results.items[index]!);
}

/** True pictures of some items. */
export function truthOf(study: Study, results: Results, items: readonly number[]): Rows {
  return takeRows(
    study.stimuli!.values,
    items.map((index) => results.items[index]!.stimulus!),
  );
}

/** Runs in the order of the study, each with the places of its scored items and all its items. */
export function runsOf({ results, evaluation }: Pick<ReportData, 'results' | 'evaluation'>) {
  const runs = new Map<string, { places: number[]; items: number[] }>();
  const placeOf = new Map(evaluation.scored.map((index, place) => [index, place]));
  for (const [index, { run }] of results.items.entries()) {
    const entry = runs.get(run) ?? { places: [], items: [] };
    runs.set(run, entry);
    entry.items.push(index);
    const place = placeOf.get(index);
    if (place !== undefined) entry.places.push(place);
  }
  return [...runs].map(([run, entry]) => ({ run, ...entry }));
}

export const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export const isRetinotopic = ({ folds }: Pick<ReportData, 'folds'>) => folds.some(({ maps }) => maps);
export const hasPictures = ({ results }: Pick<ReportData, 'results'>) => results.kind === 'picture';
