import { join } from 'node:path';
import type { Study } from '@fmri2image/core';
import { writeFileAtomic, writeFolderAtomic } from '@fmri2image/node';
import type { Context } from '../context.ts';
import type { prepareOutput } from '../output.ts';
import { evaluateLabelResults, printLabels } from '../pipeline/evaluateLabels.ts';
import { labelsTable } from '../pipeline/labelsTable.ts';
import { printRefit, type RefitPermutations } from '../pipeline/refit.ts';
import { type Results, writeResults } from '../pipeline/results.ts';
import type { EvaluateFlags } from './evaluate.ts';

type Prepared = Partial<Awaited<ReturnType<typeof prepareOutput>>> & { force: boolean };

/** Scores decoded labels, prints and writes what was found. */
export async function scoreLabels(
  study: Study,
  results: Results,
  options: EvaluateFlags,
  { console, signal }: Context,
  {
    started,
    read,
    refit,
    ...output
  }: Prepared & { started: number; read: number; refit?: RefitPermutations | undefined },
): Promise<void> {
  console.progress('evaluate');
  const evaluation = await evaluateLabelResults(study, results, options, signal);
  const notes = [...study.warnings, ...results.provenance.warnings];
  const { tsv } = labelsTable(study, results);
  if (options.reconstructions === undefined && options.output !== undefined) {
    await writeFolderAtomic(
      options.output,
      async (write) => {
        await writeResults(results, write, study);
        await write('evaluation.json', `${JSON.stringify({ ...evaluation, refit, notes }, undefined, 2)}\n`);
      },
      { ...output, signal, onRepair: console.warn },
    );
  }
  for (const note of notes) console.warn(`note: ${note}`);
  const { accuracy, balancedAccuracy, blocks } = evaluation;
  console.result({
    decoder: results.provenance.decoder,
    accuracy: accuracy.score,
    balancedAccuracy,
    ...(blocks && { blockAccuracy: blocks.accuracy.score }),
    chance: accuracy.chance,
    permutationP: accuracy.p,
    trials: evaluation.trials,
    device: results.provenance.device,
    evaluation,
    refit,
    notes,
    seconds: { read: (read - started) / 1e3, compute: (performance.now() - read) / 1e3 },
  });
  printLabels(console, evaluation, results.provenance.decoder);
  if (refit) printRefit(console, refit);
  console.print('what these figures mean: docs/labels.md');
  // Last: what was computed is told even where this cannot be written.
  if (options.reconstructions !== undefined) {
    await writeFileAtomic(join(options.reconstructions, 'scores.tsv'), tsv, { force: true, signal });
  }
  const where = options.reconstructions ?? options.output;
  const file = options.reconstructions === undefined ? 'labels.tsv' : 'scores.tsv';
  if (where) console.print(`label of each trial: ${join(where, file)}`);
}
