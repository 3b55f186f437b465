import { didYouMean } from '../data/study/nearest.ts';
import type { DecoderOutput } from '../decoders/decoder.ts';
import { F2iError } from '../error.ts';
import type { ConvertedModel } from './convert.ts';
import { countFitting, type MatchedWeights, matchWeights } from './match.ts';
import { PUBLISHED_MODELS, type PublishedModel } from './published.ts';
import type { WeightType } from './round.ts';
import type { WeightSchema } from './schema.ts';
import { clipConverter, mindeye1, mindeye1LowLevel, mindeye2 } from './schemas/index.ts';
import type { WeightSource } from './source.ts';

/** A model that can be converted: its keys, and what goes in and comes out. */
interface Convertible {
  readonly schema: WeightSchema;
  /** Values of one row of input. */
  input(extents: ReadonlyMap<string, number>): number;
  output(extents: ReadonlyMap<string, number>): DecoderOutput;
}

const CONVERTIBLE: Readonly<Record<string, Convertible>> = {
  mindeye2: {
    schema: mindeye2,
    input: (of) => of.get('voxels[0]')!,
    output: (of) => ({
      kind: 'features',
      shape: [of.get('tokens')!, of.get('clip')!],
      name: 'OpenCLIP bigG tokens',
    }),
  },
  mindeye1: {
    schema: mindeye1,
    input: (of) => of.get('voxels')!,
    output: (of) => ({
      kind: 'features',
      shape: [of.get('tokens')!, of.get('clip')!],
      name: 'CLIP L tokens',
    }),
  },
  'mindeye1-low-level': {
    schema: mindeye1LowLevel,
    input: (of) => of.get('voxels')!,
    output: (of) => ({
      kind: 'features',
      shape: [of.get('latent')!, 64, 64],
      name: 'Stable Diffusion latent',
    }),
  },
  'clip-converter': {
    schema: clipConverter,
    input: (of) => of.get('tokens')! * of.get('clip')!,
    output: (of) => ({
      kind: 'features',
      shape: [of.get('tokensOut')!, of.get('clipOut')!],
      name: 'CLIP L tokens',
    }),
  },
};

/** What the table of published models says of one. Throws USAGE, listing the names, for an unknown one. */
export function publishedModel(model: string): PublishedModel {
  const row = PUBLISHED_MODELS.find((published) => published.model === model);
  if (row) return row;
  const known = PUBLISHED_MODELS.map((published) => published.model);
  throw new F2iError('USAGE', `no model of this name${didYouMean(model, known)}`, {
    field: model,
    expected: known.join(', '),
  });
}

/** The keys of a model that can be converted. Throws USAGE, listing those, for any other. */
export function convertibleSchema(model: string): WeightSchema {
  const found = Object.hasOwn(CONVERTIBLE, model) ? CONVERTIBLE[model] : undefined;
  if (found) return found.schema;
  throw new F2iError('USAGE', 'checkpoints of this model are not converted', {
    field: model,
    expected: Object.keys(CONVERTIBLE).join(', '),
  });
}

/**
 * Finds the tensors of a model in a file, as `matchWeights`.
 *
 * @throws FORMAT, saying which other model the file looks like, if any; USAGE for a model that is not converted
 */
export function matchModel(source: Pick<WeightSource, 'entries' | 'name'>, model: string): MatchedWeights {
  const schema = convertibleSchema(model);
  try {
    return matchWeights(source, schema);
  } catch (error) {
    const other = lookAlike(source, model);
    if (!(error instanceof F2iError) || other === undefined) throw error;
    throw new F2iError('FORMAT', `this is no ${model}; it looks like ${other}`, {
      file: source.name,
      field: 'model',
      expected: `keys such as ${schema.rules[0]!.name.replace(/\{\w+\}/, '0')}`,
      found: [...source.entries.keys()].slice(0, 3).join(', '),
      cause: error,
    });
  }
}

/** Another model that most of a file's keys are of, and more of them than of this one. */
function lookAlike(source: Pick<WeightSource, 'entries' | 'name'>, model: string): string | undefined {
  const fits = (name: string) => countFitting(source, convertibleSchema(name));
  const others = Object.keys(CONVERTIBLE).filter((name) => name !== model);
  const best = others.reduce((most, name) => (fits(name) > fits(most) ? name : most));
  return 2 * fits(best) >= source.entries.size && fits(best) > fits(model) ? best : undefined;
}

/** The description of a bundle of converted weights. Sizes are in `config`, where they come from in `report`. */
export function convertedModel(
  source: Pick<WeightSource, 'name' | 'format'>,
  matched: MatchedWeights,
  dtype: WeightType,
): ConvertedModel {
  const { model, extents, counts, groups, ignored, weights } = matched;
  const { input, output } = CONVERTIBLE[model]!;
  const { repository, licence, paper } = publishedModel(model);
  const file = source.name.split(/[\\/]/).at(-1)!;
  return {
    kind: model,
    input: { voxels: input(extents) },
    output: output(extents),
    config: {
      dtype,
      extents: Object.fromEntries(extents),
      counts: Object.fromEntries(counts),
      groups: [...groups].sort(),
    },
    report: {
      source: { file, format: source.format, tensors: weights.size, ignored: ignored.length },
      upstream: { repository, licence, paper },
    },
    ledger: [
      {
        step: `weights of ${model}, trained elsewhere`,
        runs: [],
        sawTest: 'unknown',
        note: `converted from ${file}; nothing was fitted`,
      },
    ],
    seed: 0,
    containsTrainingData: false,
  };
}
