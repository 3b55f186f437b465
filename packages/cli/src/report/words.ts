import type { Provenance, Results } from '../pipeline/results.ts';

/** What reconstructions stand beside: pictures, or stimuli of which there are features. */
export interface Words {
  readonly picture: 'picture' | 'stimulus';
  readonly pictures: 'pictures' | 'stimuli';
  /** What the constant prediction answers to every trial. */
  readonly meanTraining: 'mean training picture' | 'mean training features';
  /** What is scored: a trial, or a row of a design that may be the average of several. */
  readonly unit: 'trial' | 'test row';
}

const OF_PICTURES: Words = {
  picture: 'picture',
  pictures: 'pictures',
  meanTraining: 'mean training picture',
  unit: 'trial',
};

const OF_FEATURES: Words = {
  picture: 'stimulus',
  pictures: 'stimuli',
  meanTraining: 'mean training features',
  unit: 'trial',
};

/** What the reconstructions are by: the kind of decoder, or recipe and head. */
export const decoderOf = ({
  results: { rows, array },
  made,
}: {
  readonly results: Pick<Results, 'rows' | 'array'>;
  readonly made: Pick<Provenance, 'decoder'>;
}) => (rows ? `${rows.recipe}, ${array ?? 'features'}` : made.decoder);

/** The nouns of a report: one about features does not speak of pictures that nobody reconstructed. */
export const wordsOf = ({ kind, rows }: Pick<Results, 'kind' | 'rows'>): Words => ({
  ...(kind === 'picture' ? OF_PICTURES : OF_FEATURES),
  ...(rows && { unit: 'test row' }),
});
