import {
  type RegionContribution,
  type Regions,
  regionContribution,
  regionPredictions,
  type Study,
} from '@fmri2image/core';
import type { FitContext, FitSettings } from '../pipeline/fit.ts';
import { columnsOf, heldOutPlan } from '../pipeline/heldOutPlan.ts';
import { heldOutScorer, type ScoreName } from '../pipeline/heldOutScores.ts';
import type { Grouping } from '../pipeline/select.ts';

/** What decoders of single regions reach, and decoders without them. */
export interface DecodedRegions {
  readonly scores: readonly (ScoreName & {
    /** With all voxels. */
    readonly all: number;
    readonly regions: readonly RegionContribution[];
  })[];
  readonly heldOut: string;
  readonly trials: number;
  readonly notes: readonly string[];
}

/** Scores each region alone and left out, on trials that were held out. */
export async function decodeRegions(
  study: Study,
  regions: Regions,
  grouping: Grouping | undefined,
  settings: FitSettings,
  context: FitContext,
): Promise<DecodedRegions> {
  const { backend, signal, console } = context;
  const plan = await heldOutPlan(study, grouping, settings, context);
  const scorer = heldOutScorer(study, plan, context);
  const voxels = study.selection.indices.length;
  const columns = new Map([...regions].map(([name, list]) => [name, columnsOf(list, plan, voxels)]));
  const measured: { region: string | undefined; voxels: string; scores: number[] }[] = [];
  for await (const { region, voxels, predictions } of regionPredictions(
    plan.voxels,
    plan.targets,
    columns,
    plan.folds,
    {
      backend,
      signal,
      alphas: settings.alphas?.length === 1 ? settings.alphas[0] : settings.alphas,
      score: settings.score,
      perTarget: settings.perTarget,
      standardize: settings.standardize,
      onProgress: ({ done, total }) => console.progress('decode from regions', done / total),
    },
  )) {
    measured.push({ region, voxels, scores: await scorer.measure(predictions) });
  }
  const scoreOf = (which: string, region: string | undefined, s: number) =>
    measured.find((entry) => entry.voxels === which && entry.region === region)?.scores[s];
  return {
    scores: scorer.scores.map((score, s) => {
      const all = scoreOf('all', undefined, s)!;
      return {
        ...score,
        all,
        regions: [...regions].map(([name, list]) => {
          const alone = scoreOf('alone', name, s)!;
          const scores = { all, alone, without: scoreOf('without', name, s) };
          return regionContribution(name, list.length, scores, score.chance);
        }),
      };
    }),
    heldOut: grouping === undefined ? 'the trials of split test' : `each ${grouping} in turn`,
    trials: plan.held.length,
    notes: plan.notes,
  };
}
