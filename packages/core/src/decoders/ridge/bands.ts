import { F2iError } from '../../error.ts';
import { add, gather, gram, mul, type OpOptions } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';

/** A band (feature space): columns of the design that share a weight, such as the voxels of one ROI. */
export interface Band {
  readonly name: string;
  /** Indices of its columns, in any order. */
  readonly columns: ArrayLike<number>;
}

/**
 * Bands out of one label a column, in the order in which the labels appear. A column whose label is undefined belongs
 * to no band: its weights become 0.
 */
export function bandsOf(labels: ArrayLike<string | number | undefined>): Band[] {
  const columns = new Map<string, number[]>();
  for (let column = 0; column < labels.length; column++) {
    const label = labels[column];
    if (label === undefined) continue;
    const members = columns.get(`${label}`);
    if (members) members.push(column);
    else columns.set(`${label}`, [column]);
  }
  return [...columns].map(([name, members]) => ({ name, columns: members }));
}

/** @param width columns of the design */
export function checkBands(bands: readonly Band[], width: number): void {
  if (bands.length === 0) throw invalid('bands', 'banded ridge needs bands', 'one or more', 'none');
  const owner = new Map<number, string>();
  const names = new Set<string>();
  for (const { name, columns } of bands) {
    const field = `bands.${name}`;
    if (names.has(name)) throw invalid(field, 'two bands have the same name', 'names of their own', name);
    names.add(name);
    if (columns.length === 0) throw invalid(field, 'a band is empty', 'one column or more', 'none');
    for (const column of Array.from(columns)) {
      if (!Number.isInteger(column) || column < 0 || column >= width) {
        throw invalid(field, 'no such column', `0 to ${width - 1}`, `${column}`);
      }
      const other = owner.get(column);
      if (other !== undefined) {
        throw invalid(
          field,
          'a column is listed twice',
          'one band for a column',
          `${column}, in ${other} too`,
        );
      }
      owner.set(column, name);
    }
  }
}

/**
 * Gram matrix of each band's columns, [n, n] each: all that the search needs to know of the design.
 *
 * @param design [n, p], centred if there is an intercept
 */
export function bandGrams(design: Tensor, bands: readonly Band[], options: OpOptions): Tensor[] {
  const { backend } = design;
  return bands.map(({ columns }) =>
    backend.scope(() => gram(gather(design, { ...options, cols: Int32Array.from(columns) }), options)),
  );
}

/**
 * Gram matrix of the design whose bands are multiplied by the square roots of their weights: the sum of the bands' Gram
 * matrices, each times its weight.
 *
 * @param weights of each band, not all 0
 */
export function weightedGram(
  grams: readonly Tensor[],
  weights: ArrayLike<number>,
  options: OpOptions,
): Tensor {
  const { backend } = grams[0]!;
  let sum: Tensor | undefined;
  for (const [band, matrix] of grams.entries()) {
    const weight = weights[band]!;
    if (weight === 0) continue;
    const before = sum;
    sum = backend.scope(() => {
      const term = mul(matrix, weight, options);
      return before ? add(before, term, options) : term;
    });
    before?.dispose();
  }
  return sum!;
}

function invalid(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
