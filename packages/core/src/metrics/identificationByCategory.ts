import { F2iError } from '../error.ts';
import { placesBy } from '../grouped.ts';
import type { CorrelationMatrix } from './correlationMatrix.ts';
import type { ScoreTable } from './pairing.ts';
import { countBelow } from './twoWayIdentification.ts';

/** Against pictures of the own category, or of all other categories. */
export type Competitors = 'within' | 'across';

export interface CategoryTable {
  /** One row for each scored trial that has competitors. */
  readonly table: ScoreTable;
  /** Which rows of the correlations those are. */
  readonly rows: Int32Array;
}

/**
 * Two-way identification against pictures of the own category alone, or of the other categories alone. A decoder that
 * knows a picture's category and nothing else wins across categories and guesses within. Otherwise as
 * `twoWayIdentification` against reconstructions: strictly smaller correlations count, trials of the same stimulus do
 * not compete.
 *
 * @param correlations of the N scored truths (rows) with all reconstructions
 * @param own for each row, the column of its own reconstruction
 * @param categories of each row
 * @param stimuli identity of the stimulus of each row; all different when absent
 * @returns undefined where no trial has a competitor
 * @throws INVALID_ARGUMENT for lists that do not fit, or a stimulus of two categories
 */
export function identificationByCategory(
  { values, truths, reconstructions }: CorrelationMatrix,
  own: Int32Array,
  competitors: Competitors,
  categories: ArrayLike<string>,
  stimuli?: ArrayLike<number | string>,
): CategoryTable | undefined {
  checkLength('categories', categories, truths);
  if (stimuli) checkLength('stimuli', stimuli, truths);
  const byStimulus = placesBy(truths, (row) => stimuli?.[row] ?? row);
  const byCategory = placesBy(truths, (row) => categories[row]!);
  for (const rows of byStimulus.values()) {
    const other = rows.find((row) => categories[row] !== categories[rows[0]!]);
    if (other === undefined) continue;
    throw new F2iError('INVALID_ARGUMENT', 'a stimulus belongs to one category', {
      field: `categories.${other}`,
      expected: categories[rows[0]!]!,
      found: categories[other]!,
    });
  }
  const sizeOf = (row: number) => {
    const category = byCategory.get(categories[row]!)!.length;
    return competitors === 'within'
      ? category - byStimulus.get(stimuli?.[row] ?? row)!.length
      : truths - category;
  };
  const rows = Int32Array.from({ length: truths }, (_, row) => row).filter((row) => sizeOf(row) > 0);
  if (rows.length === 0) return undefined;

  const scores = new Float64Array(rows.length * reconstructions);
  const column = new Float64Array(truths);
  for (let c = 0; c < reconstructions; c++) {
    for (let row = 0; row < truths; row++) column[row] = values[row * reconstructions + c]!;
    const sorted = (group: readonly number[]) => Float64Array.from(group, (row) => column[row]!).sort();
    const ofCategory = mapped(byCategory, sorted);
    const ofStimulus = mapped(byStimulus, sorted);
    const all = column.slice().sort();
    rows.forEach((row, i) => {
      const x = column[row]!;
      const category = countBelow(ofCategory.get(categories[row]!)!, x);
      // Trials of the same stimulus are of the same category.
      const below =
        competitors === 'within'
          ? category - countBelow(ofStimulus.get(stimuli?.[row] ?? row)!, x)
          : countBelow(all, x) - category;
      scores[i * reconstructions + c] = below / sizeOf(row);
    });
  }
  return { table: { values: scores, own: Int32Array.from(rows, (row) => own[row]!), reconstructions }, rows };
}

function mapped<K, A, B>(groups: Map<K, A>, change: (group: A) => B): Map<K, B> {
  return new Map([...groups].map(([key, group]) => [key, change(group)]));
}

function checkLength(field: string, list: ArrayLike<unknown>, expected: number): void {
  if (list.length === expected) return;
  throw new F2iError('INVALID_ARGUMENT', 'one for each scored trial', {
    field,
    expected: `${expected}`,
    found: `${list.length}`,
  });
}
