import { join } from 'node:path';
import type { Study } from '@fmri2image/core';
import { writeFolderAtomic } from '@fmri2image/node';
import { derivativeNameNote } from '../bids.ts';
import type { Context } from '../context.ts';
import type { ReadMaps } from '../maps/read.ts';
import type { prepareOutput } from '../output.ts';
import { evaluateLabelResults } from '../pipeline/evaluateLabels.ts';
import { provenanceOf, type Results } from '../pipeline/results.ts';
import { withTargets } from '../pipeline/targets.ts';
import { labelHeadline } from '../report/labels/sections.ts';
import { drawLabelFigures, writeLabelReport } from '../report/labels/write.ts';
import { reportFiles } from '../report/write.ts';
import type { ReportFlags } from './report.ts';

/** The report of decoded labels. */
export async function reportLabels(
  study: Study,
  results: Results,
  options: Omit<ReportFlags, 'maps'> & { readonly maps?: ReadMaps | undefined },
  { console, signal, backend }: Context,
  output: Awaited<ReturnType<typeof prepareOutput>>,
): Promise<void> {
  console.progress('evaluate');
  const evaluation = await evaluateLabelResults(study, results, { ...options, keepNull: true }, signal);
  const { provenance: made, folds = [] } = results;
  const notes = [...study.warnings, ...made.warnings];
  const reported =
    options.reconstructions === undefined
      ? made
      : provenanceOf(study.name, made.decoder, made.bundle, backend.info, []);
  console.progress('draw');
  const data = {
    study: withTargets(study, 'labels'),
    results,
    evaluation,
    folds,
    notes,
    seed: options.seed,
    made,
    reported,
    figures: await drawLabelFigures({ evaluation, folds }),
    maps: options.maps,
  };
  await writeFolderAtomic(options.output, (write) => writeLabelReport(data, write), {
    ...output,
    signal,
    onRepair: console.warn,
  });
  const page = join(options.output, reportFiles(study).page);
  for (const note of notes) console.warn(`note: ${note}`);
  const named = derivativeNameNote(options.output);
  if (named !== undefined) console.warn(`note: ${named}`);
  const { accuracy, balancedAccuracy, blocks, trials } = evaluation;
  console.result({
    output: options.output,
    page,
    decoder: made.decoder,
    accuracy: accuracy.score,
    balancedAccuracy,
    ...(blocks && { blockAccuracy: blocks.accuracy.score }),
    chance: accuracy.chance,
    permutationP: accuracy.p,
    trials,
    notes,
    runId: reported.runId,
    device: reported.device,
  });
  console.print(labelHeadline(data));
  console.print(`report: ${page}`);
  console.print(`label of each trial: ${join(options.output, reportFiles(study).scores)}`);
}
