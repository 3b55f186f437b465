import { F2iError } from '../error.ts';
import type { CorrelationMatrix, CorrelationOptions } from './correlationMatrix.ts';
import type { CosineSimilarities } from './cosineSimilarity.ts';
import { rowProducts, type Similarity } from './rowProducts.ts';
import { type ComparedRows, comparedExtents } from './rowValues.ts';

/** Correlations of the scored truths with some answers, and which answer is whose. */
export interface Answers {
  readonly correlations: CorrelationMatrix;
  readonly own: Int32Array;
}

const CONTROLS = ['meanPicture', 'nearestTraining', 'bestTraining'] as const;
export type ControlName = (typeof CONTROLS)[number];

/** The reconstructions, and what stands in their place, by one similarity. */
export interface Compared {
  readonly given: Answers;
  readonly controls: { readonly [name in ControlName]?: Answers };
}

export const cosinesOf = ({
  correlations: { values, truths, reconstructions },
}: Answers): CosineSimilarities => ({
  values,
  images: truths,
  brains: reconstructions,
});

/**
 * What stands in place of every reconstruction.
 *
 * @param scoredTruth [own.length, ...]
 * @param pictures of each control: one a trial, or for `meanPicture` one for all
 * @param own the scored trials, of so many `trials`
 * @throws INVALID_ARGUMENT naming the control whose pictures do not fit
 */
export async function controlAnswers(
  similarity: Similarity,
  scoredTruth: ComparedRows,
  pictures: { readonly [name in ControlName]?: ComparedRows | undefined },
  own: Int32Array,
  trials: number,
  options: CorrelationOptions,
): Promise<{ [name in ControlName]?: Answers }> {
  const answers: { [name in ControlName]?: Answers } = {};
  for (const name of CONTROLS) {
    const instead = pictures[name];
    if (!instead) continue;
    const [count] = comparedExtents(instead, name);
    if (count !== trials && !(count === 1 && name === 'meanPicture')) {
      throw new F2iError('INVALID_ARGUMENT', 'pictures of a control do not fit the trials', {
        field: name,
        expected: name === 'meanPicture' ? `1 or ${trials}` : `${trials}`,
        found: `${count}`,
      });
    }
    const values = await rowProducts(scoredTruth, instead, similarity, ['truth', name], options);
    const correlations = { values, truths: own.length, reconstructions: count };
    answers[name] = { correlations, own: count === 1 ? own.map(() => 0) : own };
  }
  return answers;
}
