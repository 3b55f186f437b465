import { blocksOf, hasBlocks, refitPermutationTest, type Study } from '@fmri2image/core';
import type { Console } from '../console.ts';
import { usage } from '../options.ts';
import type { FitContext, FitSettings } from './fit.ts';
import { heldOutPlan } from './heldOutPlan.ts';
import { heldOutScorer } from './heldOutScores.ts';
import { decimal, three } from './numbers.ts';
import { type Grouping, labelsOf } from './select.ts';
import { decodesLabels } from './targets.ts';

/** A permutation test for which decoders are fitted again for each rearrangement. */
export interface RefitPermutations {
  readonly scores: readonly {
    readonly name: string;
    readonly words: string;
    /** Of the true order; as `evaluate` has it, but for rounding. */
    readonly observed: number;
    readonly p: number;
    /** Mean over rearrangements. */
    readonly shuffled: number;
  }[];
  /** `circular shifts within runs`, `orders within runs`, `blocks within runs`, `whole runs within sessions`. */
  readonly exchanged: string;
  readonly permutations: number;
  readonly exact: boolean;
  readonly smallestP: number;
  readonly seed: number;
  readonly notes: readonly string[];
  readonly seconds: number;
}

/**
 * Tests scores of trials that were held out in turn against rearranged labels, everything fitted anew for each: no
 * correction is needed for folds that train each other. See `refitPermutationTest`.
 */
export async function refitPermutations(
  study: Study,
  grouping: Grouping,
  settings: FitSettings,
  {
    permutations,
    seed,
    blocks: label,
  }: { permutations: number; seed: number; blocks?: Grouping | undefined },
  context: FitContext,
): Promise<RefitPermutations> {
  const { backend, signal, console } = context;
  const started = performance.now();
  const plan = await heldOutPlan(study, grouping, settings, context);
  const scorer = heldOutScorer(study, plan, context);
  const exchange = exchangeOf(study, label);
  const {
    observed,
    p,
    exact,
    smallestP,
    null: all,
    nullMaximum,
    fixedRows,
  } = await refitPermutationTest(plan.voxels, plan.targets, plan.folds, {
    backend,
    signal,
    statistic: (predictions) => scorer.measure(predictions),
    exchangeability: study.continuous ? 'continuous' : 'trials',
    runs: exchange.runs,
    blocks: exchange.blocks,
    permutations,
    seed,
    alphas: settings.alphas?.length === 1 ? settings.alphas[0] : settings.alphas,
    score: settings.score,
    perTarget: settings.perTarget,
    standardize: settings.standardize,
    onProgress: ({ done, total }) => console.progress('refit for each rearrangement', done / total),
  });
  const count = nullMaximum.length;
  const shuffled = (s: number) => {
    let sum = 0;
    for (let b = 0; b < count; b++) sum += all![b * observed.length + s]! / count;
    return sum;
  };
  return {
    scores: scorer.scores.map(({ name, words }, s) => ({
      name,
      words,
      observed: observed[s]!,
      p: p[s]!,
      shuffled: shuffled(s),
    })),
    exchanged: exchange.words,
    permutations: count,
    exact,
    smallestP,
    seed,
    notes: fixedRows === 0 ? plan.notes : [...plan.notes, stays(fixedRows, study.trials.length)],
    seconds: (performance.now() - started) / 1e3,
  };
}

const stays = (fixed: number, trials: number) =>
  `${fixed} of ${trials} trials keep their place: nothing of their length may change places with them`;

interface Exchange {
  readonly runs: readonly string[];
  readonly blocks: ArrayLike<string | number> | undefined;
  readonly words: string;
}

/**
 * What may change places under the null hypothesis, and with what.
 *
 * @param label of trials that are exchanged as a whole, as they are no independent draws
 * @throws USAGE where trials have no such label, or follow each other continuously
 */
function exchangeOf(study: Study, label: Grouping | undefined): Exchange {
  const { trials, continuous } = study;
  const runs = trials.map(({ run }) => run);
  if (label === undefined) {
    if (continuous) return { runs, blocks: undefined, words: 'circular shifts within runs' };
    const inBlocks = decodesLabels(study) && hasBlocks(study);
    return inBlocks
      ? { runs, blocks: blocksOf(study), words: 'blocks within runs' }
      : { runs, blocks: undefined, words: 'orders within runs' };
  }
  if (continuous) {
    throw usage(`--refit-blocks ${label}: continuous stimuli are shifted within their runs, not exchanged`);
  }
  const blocks = labelsOf(trials, label);
  if (label === 'group') return { runs, blocks, words: 'whole groups within runs' };
  const within = trials.map(({ session }) => (label === 'run' ? (session ?? '') : ''));
  const bySession = new Set(within).size > 1;
  return { runs: within, blocks, words: `whole ${label}s ${bySession ? 'within sessions' : 'among all'}` };
}

export function printRefit(console: Console, refit: RefitPermutations): void {
  const { scores, exchanged, permutations, exact, smallestP, seed, notes, seconds } = refit;
  const how = `${exact ? `all ${permutations}` : `${permutations} random`} ${exchanged} (seed ${seed}), decoders fitted anew for each`;
  console.print(`permutation test with refitting: ${how}; the smallest possible p is ${decimal(smallestP)}`);
  for (const { words, observed, p, shuffled } of scores) {
    console.print(
      `  ${words}: ${three(observed)}, refitted to rearranged labels ${three(shuffled)}, p ${decimal(p)}`,
    );
  }
  for (const note of notes) console.print(`  ${note}`);
  console.print(`  ${(permutations / seconds).toPrecision(3)} rearrangements per second`);
}
