import { type Backend, type Evaluation, evaluate, F2iError, type Study, takeRows } from '@fmri2image/core';
import { type Console, table } from '../console.ts';
import type { Results } from './results.ts';

export interface EvaluateSettings {
  readonly permutations: number;
  readonly seed: number;
}

/** How long a response lasts, about: within it, scores of successive frames are not independent. */
const RESPONSE_SECONDS = 20;

/** Scores reconstructions against the study's stimuli, beside their controls. */
export async function evaluateResults(
  study: Study,
  results: Results,
  { permutations, seed }: EvaluateSettings,
  { backend, signal }: { backend: Backend; signal: AbortSignal },
): Promise<Evaluation> {
  const { stimuli } = study;
  if (!stimuli)
    throw new F2iError('USAGE', 'without stimuli there is nothing to compare with', { file: study.name });
  const shown = results.items.map((item, i) => {
    const stimulus = study.trials[item.trials[0]!]?.stimulus;
    if (stimulus === undefined || stimulus !== item.stimulus) {
      throw new F2iError('FORMAT', 'the reconstructions belong to another study', {
        file: 'reconstructions.json',
        field: `items.${i}.stimulus`,
        expected: `${stimulus} (${study.name})`,
        found: `${item.stimulus}`,
      });
    }
    return stimulus;
  });
  const truth = takeRows(stimuli.values, shown);
  if (truth.shape.slice(1).join() !== results.values.shape.slice(1).join()) {
    throw new F2iError('FORMAT', 'reconstructions and stimuli differ in shape', {
      file: 'reconstructions.npy',
      expected: `[${truth.shape.slice(1)}]`,
      found: `[${results.values.shape.slice(1)}]`,
    });
  }
  const counted = new Set(study.scored);
  const scored = results.items.flatMap((item, i) => (counted.has(item.trials[0]!) ? [i] : []));
  return evaluate(
    {
      truth,
      reconstructions: results.values,
      runs: results.items.map((item) => item.run),
      stimuli: shown,
      scored,
      meanPicture: results.meanPicture,
    },
    {
      exchangeability: study.continuous ? 'continuous' : 'trials',
      block: study.continuous ? Math.ceil(RESPONSE_SECONDS / study.tr!) : 1,
      permutations,
      // Runs that were held out in turn trained each other's decoders.
      crossFitted: new Set(results.items.flatMap(({ heldOut }) => heldOut ?? [])).size > 1,
      seed,
      backend,
      signal,
    },
  );
}

/** The scores as people read them. */
export function printEvaluation(console: Console, evaluation: Evaluation, label = 'score'): void {
  const { permutation } = evaluation;
  const rows = [['', label, '95 % interval', 'chance', 'mean picture', 'shuffled', 'p']];
  for (const [name, metric] of [
    ['two-way identification', evaluation.twoWay],
    ['frame correlation', evaluation.frameCorrelation],
  ] as const) {
    rows.push([
      name,
      metric.score.toFixed(3),
      `${metric.interval[0].toFixed(3)} to ${metric.interval[1].toFixed(3)}`,
      metric.chance.toFixed(1),
      metric.meanPicture?.toFixed(3) ?? 'n/a',
      metric.shuffled.mean.toFixed(3),
      metric.p === null ? 'n/a' : decimal(metric.p),
    ]);
  }
  console.print(table(rows));
  const how =
    permutation.exchangeability === 'continuous' ? 'circular shifts within runs' : 'orders within runs';
  const all = permutation.exact ? 'all' : 'random';
  const widened = permutation.crossFitted ? ', their spread widened as the runs were cross-fitted' : '';
  const { trials, stimuli } = evaluation;
  const scored =
    stimuli < trials ? `${trials} scored trials of ${stimuli} stimuli` : `${trials} scored trials`;
  const test =
    permutation.reason === undefined
      ? `p from ${permutation.permutations} ${all} ${how} (seed ${permutation.seed})${widened}, the smallest possible is ${decimal(permutation.smallestP)}`
      : `no p: ${permutation.reason}`;
  console.print(`${scored}; ${test}`);
  if (permutation.exchangeability === 'continuous')
    console.print('p by circular shifts is approximate in runs of fewer than 50 frames');
}

/** A share as a plain decimal, small ones with two digits that count. */
function decimal(share: number): string {
  return share >= 0.01 ? share.toFixed(3) : String(Number(share.toPrecision(2)));
}
