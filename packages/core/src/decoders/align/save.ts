import type { OpenedWeights } from '../../bundle/open.ts';
import type { SaveOptions } from '../../bundle/save.ts';
import type { WriteFile } from '../../data/source.ts';
import { F2iError } from '../../error.ts';
import { writeWeights } from '../../weights/convert.ts';
import { convertedModel, convertibleSchema } from '../../weights/converted.ts';
import { matchWeights } from '../../weights/match.ts';
import type { WeightType } from '../../weights/round.ts';
import { mergeWeights, type WeightSource, weightSource } from '../../weights/source.ts';
import type { SubjectLayer } from './fitLayer.ts';

/** Where the targets of an aligned layer came from, for the bundle and those who read of it. */
export interface Lineage {
  /** What placed stimuli in the shared space: teachers' responses, or features by way of them. */
  readonly targets: 'latents' | 'features';
  readonly teachers: readonly {
    /** Its index in the model that was aligned. */
    readonly subject: number;
    /** Name of its study. */
    readonly study: string;
    /** Stimuli that it saw, of those that were used. */
    readonly stimuli: number;
    /** Of the new subject's stimuli, how many it saw, too. */
    readonly matched: number;
  }[];
}

export interface SaveAlignedOptions extends Omit<SaveOptions, 'created'> {
  lineage?: Lineage | undefined;
  signal?: AbortSignal | undefined;
  /** Bytes that were written, of all. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Weights of the layers of all subjects. */
const OF_SUBJECTS = /^ridge\.linears\.\d+\./;

/**
 * Writes the shared model with the new subject's layer in place of those of the subjects that it was trained on, as a
 * bundle of the same kind and type: subject 0 is the new one. Weights stream from the old bundle to the new one.
 *
 * @returns the content hash of the new bundle
 * @throws UNSUPPORTED for a bundle without subjects' layers
 */
export async function saveAligned(
  { model: parent, weights, complete }: OpenedWeights,
  layer: SubjectLayer,
  write: WriteFile,
  { dataTerms = parent.dataTerms, lineage, ...options }: SaveAlignedOptions = {},
): Promise<string> {
  const dtype = parent.config.dtype as WeightType;
  const shared = [...weights.entries.values()].filter(({ name }) => !OF_SUBJECTS.test(name));
  if (shared.length === weights.entries.size) {
    throw new F2iError('UNSUPPORTED', 'the model has no layers of subjects to put another beside', {
      file: weights.name,
      field: 'kind',
      expected: 'mindeye2',
      found: parent.kind,
    });
  }
  const source = mergeWeights([layerSource(layer, weights.name), only(weights, shared)], weights.name);
  const matched = matchWeights(source, convertibleSchema(parent.kind));
  const described = convertedModel(source, matched, dtype);
  const hash = await writeWeights(
    source,
    matched,
    {
      ...described,
      input: layer.input,
      report: {
        ...parent.report,
        alignment: {
          parent: parent.contentHash,
          ...(lineage && {
            targets: lineage.targets,
            teachers: lineage.teachers.map((teacher) => ({ ...teacher })),
          }),
          ...layer.report,
          trials: { ...layer.trials },
        },
      },
      ledger: [
        ...parent.ledger,
        ...layer.ledger.map((step) => ({ ...step, step: `${step.step} (layer of the new subject)` })),
      ],
    },
    write,
    { ...options, dtype, dataTerms },
  );
  // The old subjects' layers were not copied, but the bundle that was aligned must be whole.
  await complete(options.signal);
  return hash;
}

function layerSource({ weight, bias, voxels }: SubjectLayer, name: string): WeightSource {
  const held = new Map([
    ['ridge.linears.0.weight', { data: weight, shape: [bias.length, voxels] }],
    ['ridge.linears.0.bias', { data: bias, shape: [bias.length] }],
  ]);
  return weightSource({
    name,
    format: 'bundle',
    entries: new Map(
      [...held].map(([key, { data, shape }]) => [
        key,
        { name: key, dtype: 'f32' as const, shape, byteLength: data.byteLength },
      ]),
    ),
    readElements: async (key, start, end) => held.get(key)!.data.subarray(start, end),
  });
}

function only(source: WeightSource, entries: readonly { readonly name: string }[]): WeightSource {
  return weightSource({
    name: source.name,
    format: source.format,
    entries: new Map(entries.map(({ name }) => [name, source.entries.get(name)!])),
    readElements: (...wanted) => source.readElements(...wanted),
  });
}
