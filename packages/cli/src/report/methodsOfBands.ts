import type { Json } from '@fmri2image/core';
import type { FoldRecord } from '../pipeline/folds.ts';
import { CRITERIA, record } from './choices.ts';
import { counted, listed, short } from './format.ts';
import type { Citations } from './references.ts';

/** Banded ridge in words: which voxels had penalties of their own, how these were chosen, and what they came to. */

const cited = (citations: Citations) => `banded ridge regression ${citations.cite('nunez', 'dupre')}`;

/** Weights below this change nothing that a reader would see. */
const NEGLIGIBLE = 0.001;

const weight = (value: number) => (value < NEGLIGIBLE ? `below ${NEGLIGIBLE}` : short(value));

/**
 * Bands of a head of a recipe.
 *
 * @param found `headBands.HEAD` of the report of its fit; what is not recorded is not claimed
 */
export function headBandSentences(found: Json | undefined, citations: Citations): string[] {
  const { bands, candidates, score, chosen, plain, values, of } = record(found) ?? {};
  const known = Array.isArray(bands) ? bands.map(record).filter((band) => band !== undefined) : [];
  if (known.length === 0) return [];
  const sizes = known.map(({ name, voxels }) => `${name} (${voxels} voxels)`);
  const sentences = [
    `Voxels were grouped into ${counted(known.length, 'band')}, each with a penalty of its own: ${listed(sizes)}. This is ${cited(citations)}.`,
    'The penalty of a band was the common penalty divided by the weight of the band; weights have a mean of 1.',
  ];
  if (typeof candidates === 'number' && typeof chosen === 'number' && typeof plain === 'number') {
    const scored = values === of ? 'all values' : `${values} of the ${of} values`;
    sentences.push(
      `One set of weights for all values was chosen by random search over ${counted(candidates, 'candidate')}, equal weights (ridge regression without bands) among them, by cross-validation inside the training rows: the mean ${CRITERIA[String(score)] ?? score} over ${scored} was ${short(chosen)}, that of equal weights ${short(plain)}.`,
    );
  }
  const weights = known.map((band) => `${band.name} ${weight(Number(band.weight))}`);
  return [...sentences, `The chosen weights were ${listed(weights)}.`];
}

/** Bands of a decoder that was fitted on a study, in each fold anew. */
export function bandSentences({ report }: Pick<FoldRecord, 'report'>, citations: Citations): string[] {
  const { bands, candidates } = report;
  const names = Array.isArray(bands) ? bands.flatMap((band) => record(band)?.name ?? []).map(String) : [];
  if (names.length === 0) return [];
  const search =
    typeof candidates === 'number'
      ? ` Weights of the bands were chosen by random search over ${counted(candidates, 'candidate')}, together with the penalty.`
      : '';
  return [
    `Voxels were grouped into ${counted(names.length, 'band')} (${listed(names)}), each with a penalty of its own: ${cited(citations)}.${search}`,
  ];
}
