import { labelOf } from '../decoders/decoder.ts';
import { F2iError } from '../error.ts';
import { groupBy } from '../grouped.ts';
import { createRandom } from '../random.ts';
import { type Rows, rowExtents } from '../rows.ts';
import { quantile } from './bootstrap.ts';
import { mean } from './pairing.ts';
import { type PermutationResult, permutationTest } from './permutation.ts';

export interface LabelInput {
  /** The labels, in the order of their scores. */
  readonly names: readonly string[];
  /** Score of each label for each trial [n, k]; of held-out trials. */
  readonly scores: Rows;
  /** Index of the true label of each trial, [n]. */
  readonly truth: ArrayLike<number>;
  /** Run of each trial; one run when absent. */
  readonly runs?: ArrayLike<string | number> | undefined;
  /** Block of each trial (`blocksOf`): trials of one run and label that are not independent. Each its own when absent. */
  readonly blocks?: ArrayLike<number> | undefined;
  /** What decoders that saw no brain would say: frequencies of the labels in training, [1, k] or [n, k]. */
  readonly frequencies?: Rows | undefined;
}

export interface LabelOptions {
  /** Random rearrangements of the permutation test, 999 by default. */
  permutations?: number | undefined;
  /** Was each run predicted by a decoder fitted to the others? See `permutationTest`. */
  crossFitted?: boolean | undefined;
  seed?: number | undefined;
  /** Keep the scores of all rearrangements. */
  keepNull?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** A share of right answers beside what it must be read beside. */
export interface LabelScore {
  readonly score: number;
  /** 95 % bootstrap interval; of what is resampled, `LabelEvaluation.bootstrap` says. */
  readonly interval: readonly [number, number];
  /** One over the number of labels. */
  readonly chance: number;
  /** Of rearranged labels: their mean, and the score that 5 % of them exceed. */
  readonly shuffled: { readonly mean: number; readonly p95: number };
  readonly null?: readonly number[];
  /** Null where nothing could be rearranged. */
  readonly p: number | null;
}

/** One label: how often it was shown and decoded, and how often both. */
export interface LabelCounts {
  readonly name: string;
  readonly shown: number;
  readonly decoded: number;
  readonly right: number;
  /** right / shown (sensitivity); undefined where it was never shown. */
  readonly recall: number | undefined;
  /** right / decoded; undefined where it was never decoded. */
  readonly precision: number | undefined;
}

/** Everything that is said of decoded labels: plain values, ready for JSON. */
export interface LabelEvaluation {
  readonly names: readonly string[];
  readonly trials: number;
  readonly accuracy: LabelScore;
  /** Mean recall of the labels that were shown: does not reward a decoder for naming frequent ones. */
  readonly balancedAccuracy: number;
  /** With the most frequent training label as every answer: what can be had without a brain. */
  readonly mostFrequent: number | undefined;
  readonly labels: readonly LabelCounts[];
  /** Trials by true label (rows) and decoded one (columns), [k][k]. */
  readonly confusion: readonly (readonly number[])[];
  readonly perRun: readonly { readonly run: string; readonly trials: number; readonly accuracy: number }[];
  /** The same of whole blocks, the scores of their trials averaged; absent where each trial is a block of its own. */
  readonly blocks?: {
    readonly count: number;
    readonly accuracy: LabelScore;
    readonly confusion: readonly (readonly number[])[];
  };
  /** Index of the decoded label of each trial. */
  readonly decoded: readonly number[];
  readonly bootstrap: {
    readonly level: number;
    readonly resamples: number;
    readonly unit: 'run' | 'block';
    readonly units: number;
  };
  readonly permutation: {
    readonly permutations: number;
    readonly exact: boolean;
    readonly smallestP: number;
    readonly crossFitted: boolean;
    /** Why there is no p. */
    readonly reason?: string;
    readonly seed: number;
  };
}

const RESAMPLES = 2000;
const LEVEL = 0.95;

/**
 * Scores decoded labels: accuracy and confusion of single trials, and of blocks, whose trials are averaged before the
 * label is read off.
 *
 * Trials of one block are not independent: they share one response that lasts. So nothing here counts them as such. The
 * permutation test rearranges the labels of whole blocks within their run (exchangeable where their order was drawn
 * at random; Nichols and Holmes 2002, Hum. Brain Mapp. 15:1), and the interval resamples whole runs, or blocks where there
 * is one run alone.
 *
 * @throws INVALID_ARGUMENT for counts that do not fit, labels that are none, or a block of several runs or labels
 */
export async function evaluateLabels(
  input: LabelInput,
  options: LabelOptions = {},
): Promise<LabelEvaluation> {
  const { names } = input;
  const { seed = 0, crossFitted = false } = options;
  const [n, k] = rowExtents(input.scores, 'scores');
  const truth = checkTruth(input, n, k);
  const decoded = decodedOf(input.scores, names);
  const blocks = blocksIn(input, truth, n);
  const confusion = confusionOf(truth, decoded, k);
  const labels = countsOf(names, confusion);
  const runs = groupBy(blocks, ({ run }) => run);
  const unit = runs.size > 1 ? 'run' : 'block';
  const units = unit === 'run' ? [...runs.values()] : blocks.map((block) => [block]);

  const rightOf = (rows: readonly number[], label: number) =>
    rows.filter((row) => decoded[row] === label).length;
  const { score: accuracy, test } = await scoreOf(
    { hits: ({ rows }, label) => rightOf(rows, label), trials: ({ rows }) => rows.length },
    { blocks, units, labels: k },
    options,
  );
  const ofBlocks = blocks.length < n ? await scoreBlocks(input, { blocks, units, labels: k }, options) : {};
  return {
    names: [...names],
    trials: n,
    accuracy,
    balancedAccuracy: mean(labels.flatMap(({ recall }) => recall ?? [])),
    mostFrequent: input.frequencies && shareOfMostFrequent(input.frequencies, names, truth),
    labels,
    confusion,
    perRun: [...runs].map(([run, some]) => {
      const rows = some.flatMap((block) => block.rows);
      return { run, trials: rows.length, accuracy: mean(rows.map((row) => +(decoded[row] === truth[row]))) };
    }),
    ...ofBlocks,
    decoded,
    bootstrap: { level: LEVEL, resamples: RESAMPLES, unit, units: units.length },
    permutation: {
      permutations: test.null.length,
      exact: test.exact,
      smallestP: test.smallestP,
      crossFitted,
      ...(test.p === undefined && { reason: 'no run has two blocks to exchange' }),
      seed,
    },
  };
}

/** What counts as right, of how many. */
interface Counted {
  /** Of the trials of a block, how many would be right, were its label this one. */
  hits(block: Block, label: number): number;
  /** Trials of a block that count. */
  trials(block: Block): number;
}

/** Blocks, what a bootstrap draws of them, and how many labels there are. */
interface ScoredBlocks {
  readonly blocks: readonly Block[];
  readonly units: readonly (readonly Block[])[];
  readonly labels: number;
}

/** A share of right answers, beside chance, with its interval and the labels of blocks rearranged within runs. */
async function scoreOf(
  { hits, trials }: Counted,
  { blocks, units, labels }: ScoredBlocks,
  options: LabelOptions,
): Promise<{ score: LabelScore; test: PermutationResult }> {
  const total = sum(blocks.map(trials));
  const right = (some: readonly Block[]) => sum(some.map((block) => hits(block, block.label)));
  const values = Float64Array.from({ length: blocks.length ** 2 }, (_, i) => {
    const [row, column] = [Math.floor(i / blocks.length), i % blocks.length];
    // The mean over blocks of these is the share of all trials.
    return (hits(blocks[column]!, blocks[row]!.label) * blocks.length) / total;
  });
  const own = Int32Array.from(blocks, (_, i) => i);
  const test = await permutationTest(
    { values, own, reconstructions: blocks.length },
    { ...options, exchangeability: 'trials', runs: blocks.map(({ run }) => run) },
  );
  const sorted = test.null.slice().sort();
  const counts = units.map((some) => ({ right: right(some), of: sum(some.map(trials)) }));
  const score: LabelScore = {
    score: right(blocks) / total,
    interval: resampledShare(counts, options.seed ?? 0),
    chance: 1 / labels,
    shuffled: { mean: mean(sorted), p95: quantile(sorted, 0.95) },
    ...(options.keepNull && { null: [...test.null] }),
    p: test.p ?? null,
  };
  return { score, test };
}

/** Whole blocks, each an answer. */
async function scoreBlocks(
  input: LabelInput,
  scored: ScoredBlocks,
  options: LabelOptions,
): Promise<Required<Pick<LabelEvaluation, 'blocks'>>> {
  const { blocks, labels } = scored;
  const answers = new Map(blocks.map((block) => [block, decodedBlock(input, block)]));
  const { score: accuracy } = await scoreOf(
    { hits: (block, label) => (answers.get(block) === label ? 1 : 0), trials: () => 1 },
    scored,
    options,
  );
  const confusion = confusionOf(
    blocks.map(({ label }) => label),
    [...answers.values()],
    labels,
  );
  return { blocks: { count: blocks.length, accuracy, confusion } };
}

function countsOf(names: readonly string[], confusion: readonly (readonly number[])[]): LabelCounts[] {
  return names.map((name, i) => {
    const shown = sum(confusion[i]!);
    const found = sum(confusion.map((row) => row[i]!));
    const right = confusion[i]![i]!;
    const share = (of: number) => (of === 0 ? undefined : right / of);
    return { name, shown, decoded: found, right, recall: share(shown), precision: share(found) };
  });
}

/** With the most frequent training label, of all or of each trial's own fold, as every answer. */
function shareOfMostFrequent(frequencies: Rows, names: readonly string[], truth: readonly number[]): number {
  const answers = decodedOf(frequencies, names);
  return mean(truth.map((label, i) => +(answers[answers.length === 1 ? 0 : i] === label)));
}

/** Trials of one run and label that stand together. */
interface Block {
  readonly run: string;
  readonly label: number;
  readonly rows: number[];
}

function blocksIn({ runs, blocks }: LabelInput, truth: readonly number[], n: number): Block[] {
  for (const [field, labels] of [
    ['runs', runs],
    ['blocks', blocks],
  ] as const) {
    if (labels && labels.length !== n) throw invalid(field, 'one for each trial', `${n}`, `${labels.length}`);
  }
  const found = new Map<number, Block>();
  for (let row = 0; row < n; row++) {
    const id = blocks?.[row] ?? row;
    const [run, label] = [String(runs?.[row] ?? ''), truth[row]!];
    const block = found.get(id) ?? { run, label, rows: [] };
    found.set(id, block);
    if (block.run !== run || block.label !== label) {
      throw invalid('blocks', 'a block lies in one run and has one label', 'the same for all', `block ${id}`);
    }
    block.rows.push(row);
  }
  return [...found.values()];
}

/** Label of a block: that of the highest mean score over its trials. */
function decodedBlock({ scores, names }: LabelInput, { rows }: Block): number {
  const k = names.length;
  const total = Float64Array.from(names, (_, j) => sum(rows.map((row) => scores.data[row * k + j]!)));
  return labelOf(
    names,
    Float32Array.from(total, (value) => value / rows.length),
  ).index;
}

function decodedOf({ data, shape }: Rows, names: readonly string[]): number[] {
  const k = names.length;
  return Array.from({ length: shape[0]! }, (_, row) => {
    const scores = Float32Array.from(data.subarray(row * k, (row + 1) * k));
    return labelOf(names, scores).index;
  });
}

function confusionOf(truth: readonly number[], decoded: readonly number[], k: number): number[][] {
  const counts = Array.from({ length: k }, () => new Array<number>(k).fill(0));
  for (const [row, label] of truth.entries()) counts[label]![decoded[row]!]!++;
  return counts;
}

/** Percentile bootstrap of a share: units are drawn whole, with replacement. */
function resampledShare(
  units: readonly { right: number; of: number }[],
  seed: number,
): readonly [low: number, high: number] {
  const random = createRandom(seed);
  const shares = new Float64Array(RESAMPLES).map(() => {
    const drawn = units.map(() => units[random.integer(units.length)]!);
    return sum(drawn.map(({ right }) => right)) / sum(drawn.map(({ of }) => of));
  });
  shares.sort();
  const tail = (1 - LEVEL) / 2;
  return [quantile(shares, tail), quantile(shares, 1 - tail)];
}

function checkTruth({ names, truth, frequencies }: LabelInput, n: number, k: number): number[] {
  if (names.length !== k) throw invalid('scores', 'a score for each label', `${names.length}`, `${k}`);
  if (truth.length !== n) throw invalid('truth', 'one label for each trial', `${n}`, `${truth.length}`);
  const list = Array.from(truth);
  const bad = list.find((label) => !(Number.isInteger(label) && label >= 0 && label < k));
  if (bad !== undefined) throw invalid('truth', 'no such label', `0 to ${k - 1}`, `${bad}`);
  if (frequencies) {
    const [rows, width] = rowExtents(frequencies, 'frequencies');
    if (width !== k || (rows !== 1 && rows !== n)) {
      throw invalid('frequencies', 'one for each label', `[1 or ${n}, ${k}]`, `[${rows}, ${width}]`);
    }
  }
  return list;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
