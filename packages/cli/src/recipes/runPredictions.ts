import { type DescribedRun, fittedSteps, headsConfigOf, headsReport, type Recording } from '@fmri2image/core';
import type { Context } from '../context.ts';
import { provenanceOf } from '../pipeline/results.ts';
import { type Terms, termsOf } from '../terms.ts';
import type { BlockFolder } from './blockFolder.ts';
import { describeItems } from './items.ts';
import type { Plan } from './plan.ts';
import { writePredictions } from './predictionsFolder.ts';

/** What a folder of predictions says beside them. */
export interface PredictedRun {
  readonly run: DescribedRun;
  readonly plan: Plan;
  readonly recording: Recording;
  /** Content hash of the bundle of the same pass, or `none`. */
  readonly bundle: string;
  readonly terms: Terms;
  readonly notes: readonly string[];
}

/** Writes the predictions of a run. */
export async function writeRunPredictions(
  output: string,
  { run, plan, recording, bundle, terms, notes }: PredictedRun,
  work: BlockFolder,
  context: Context & { readonly force: boolean },
): Promise<void> {
  const config = headsConfigOf(run);
  const { recipe, input } = run;
  const heads = await Promise.all(
    config.heads.map(async ({ name, shape }) => ({
      name,
      shape,
      targetMean: (await work.statistics(name)).target_mean,
    })),
  );
  await writePredictions(
    output,
    {
      heads,
      items: describeItems(plan.items, recording, plan.pictures),
      provenance: provenanceOf(recording.name, 'ridge-heads', bundle, context.backend.info, notes),
      terms: termsOf(terms, {}),
      fold: {
        decoder: 'ridge-heads',
        voxels: input.voxels,
        selection: input.selection,
        preprocess: [],
        training: run.report.training,
        config: { ...config },
        report: headsReport(run),
        ledger: fittedSteps(run),
      },
      run: { recipe: recipe.name, split: recipe.split, normalisation: recipe.normalisation },
    },
    work,
    context,
  );
}
