import { F2iError } from '../error.ts';
import { placesBy } from '../grouped.ts';
import type { CosineSimilarities } from './cosineSimilarity.ts';
import type { ScoreTable } from './pairing.ts';
import { poolOdds } from './poolOdds.ts';
import { countBelow } from './twoWayIdentification.ts';

/**
 * Who asks and who answers:
 * - `imageToBrain`: an image is given, and its response is sought among the brain responses of a pool.
 * - `brainToImage`: a brain response is given, and its image is sought among the images of a pool.
 *
 * The published names say the opposite of what one may expect: MindEye's code transposes its similarities, so that
 * its "fwd", published as *image retrieval*, is `imageToBrain`, and its "bwd", published as *brain retrieval*,
 * `brainToImage`.
 */
export type RetrievalDirection = 'imageToBrain' | 'brainToImage';

export interface PoolOptions {
  /** Candidates, the right one among them. */
  readonly pool: number;
  /** The right one must be among the k most similar. */
  readonly k: number;
}

/**
 * For each trial the probability that its own partner is among the k most similar of a random pool: the right one and
 * `pool - 1` others, drawn without replacement. No pool needs to be drawn for it: if b of n competitors are at least as
 * similar as the right one, the number of them in a pool is hypergeometric. The mean over trials is what the mean over
 * ever more draws of MindEye's protocol converges to.
 *
 * Trials of the same stimulus are no competitors of each other. An image looks for its response among responses to
 * other stimuli, a response looks for its image among the other stimuli, each counted once. Ties count as failures.
 *
 * @param similarities of the N scored images (rows) with all decoded embeddings
 * @param own for each row, the column of its own embedding
 * @param stimuli identity of the stimulus of each row; all different when absent
 * @throws INVALID_ARGUMENT for a pool outside 2 to the number of stimuli, or a k outside 1 to pool - 1
 */
export function retrievalTable(
  similarities: CosineSimilarities,
  own: Int32Array,
  direction: RetrievalDirection,
  { pool, k }: PoolOptions,
  stimuli?: ArrayLike<number | string>,
): ScoreTable {
  const identities = Array.from(own, (_, row) => (stimuli ? stimuli[row]! : row));
  checkPool(pool, k, new Set(identities).size);
  const score = direction === 'imageToBrain' ? imageAmongBrains : brainAmongImages;
  return {
    values: score(similarities, own, identities, { pool, k }),
    own,
    reconstructions: similarities.brains,
  };
}

/**
 * The same of the true pairing alone, by counting: what the table holds for each row in the column of its own.
 *
 * @returns [N]
 */
export function retrievalOdds(
  { values, brains }: CosineSimilarities,
  own: Int32Array,
  direction: RetrievalDirection,
  { pool, k }: PoolOptions,
  stimuli?: ArrayLike<number | string>,
): Float64Array {
  const identities = Array.from(own, (_, row) => (stimuli ? stimuli[row]! : row));
  checkPool(pool, k, new Set(identities).size);
  const forwards = direction === 'imageToBrain';
  const candidates = forwards ? own.map((_, row) => row) : firstRows(identities);
  const oddsAmong = remembered((competitors: number) => poolOdds(competitors, pool - 1, k));
  return Float64Array.from(own, (column, row) => {
    const right = values[row * brains + column]!;
    let [ahead, competitors] = [0, 0];
    for (const candidate of candidates) {
      if (identities[candidate] === identities[row]) continue;
      competitors++;
      const at = forwards ? row * brains + own[candidate]! : candidate * brains + column;
      if (values[at]! >= right) ahead++;
    }
    return oddsAmong(competitors)[ahead]!;
  });
}

/** Row by row: the answer of column c competes with the scored responses to other stimuli than its own. */
function imageAmongBrains(
  { values, brains }: CosineSimilarities,
  own: Int32Array,
  identities: readonly (number | string)[],
  { pool, k }: PoolOptions,
): Float64Array {
  const scores = new Float64Array(values.length);
  const groupOf = new Map(Array.from(own, (column, row) => [column, identities[row]!]));
  const groups = columnsByIdentity(own, identities);
  const oddsAmong = remembered((competitors: number) => poolOdds(competitors, pool - 1, k));
  for (let row = 0; row < own.length; row++) {
    const line = values.subarray(row * brains, (row + 1) * brains);
    const sorted = Float64Array.from(own, (column) => line[column]!).sort();
    for (let c = 0; c < brains; c++) {
      const x = line[c]!;
      const group = groupOf.get(c);
      const same = group === undefined ? [] : groups.get(group)!;
      let ahead = sorted.length - countBelow(sorted, x);
      for (const column of same) if (line[column]! >= x) ahead--;
      scores[row * brains + c] = oddsAmong(own.length - same.length)[ahead]!;
    }
  }
  return scores;
}

/** Column by column: the image of a row competes with one image of each other stimulus. */
function brainAmongImages(
  { values, brains }: CosineSimilarities,
  own: Int32Array,
  identities: readonly (number | string)[],
  { pool, k }: PoolOptions,
): Float64Array {
  const scores = new Float64Array(values.length);
  const rows = firstRows(identities);
  const first = new Map(Array.from(rows, (row) => [identities[row]!, row]));
  const odds = poolOdds(rows.length - 1, pool - 1, k);
  for (let c = 0; c < brains; c++) {
    const sorted = Float64Array.from(rows, (row) => values[row * brains + c]!).sort();
    for (let row = 0; row < own.length; row++) {
      const x = values[row * brains + c]!;
      const itself = values[first.get(identities[row]!)! * brains + c]! >= x ? 1 : 0;
      scores[row * brains + c] = odds[sorted.length - countBelow(sorted, x) - itself]!;
    }
  }
  return scores;
}

/** One row of each stimulus. */
function firstRows(identities: readonly (number | string)[]): Int32Array {
  const first = new Map<number | string, number>();
  for (const [row, identity] of identities.entries()) if (!first.has(identity)) first.set(identity, row);
  return Int32Array.from(first.values());
}

function columnsByIdentity(
  own: Int32Array,
  identities: readonly (number | string)[],
): Map<number | string, number[]> {
  const rows = placesBy(identities.length, (row) => identities[row]!);
  return new Map([...rows].map(([identity, some]) => [identity, some.map((row) => own[row]!)]));
}

function remembered<T>(make: (key: number) => T): (key: number) => T {
  const known = new Map<number, T>();
  return (key) => {
    const value = known.get(key) ?? make(key);
    known.set(key, value);
    return value;
  };
}

function checkPool(pool: number, k: number, stimuli: number): void {
  if (!(Number.isInteger(pool) && pool >= 2 && pool <= stimuli)) {
    throw new F2iError('INVALID_ARGUMENT', 'retrieval needs a pool of different stimuli', {
      field: 'pool',
      expected: stimuli < 2 ? 'at least 2 different stimuli' : `a whole number from 2 to ${stimuli}`,
      found: stimuli < 2 ? `${stimuli}` : `${pool}`,
    });
  }
  if (!(Number.isInteger(k) && k >= 1 && k < pool)) {
    throw new F2iError('INVALID_ARGUMENT', 'the right one must be able to fail', {
      field: 'k',
      expected: `a whole number from 1 to ${pool - 1}`,
      found: `${k}`,
    });
  }
}
