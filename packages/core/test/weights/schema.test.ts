import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  clipConverter,
  createRandom,
  type ExpectedWeight,
  elementCount,
  encodeSafetensors,
  expectedWeights,
  F2iError,
  type ModelSizes,
  matchWeights,
  mergeWeights,
  mindeye1,
  mindeye1LowLevel,
  mindeye1Voxel2clip,
  mindeye2,
  mindeye2Backbone,
  mindeye2Blurry,
  mindeyePrior,
  openWeights,
  type WeightEntry,
  type WeightSchema,
  type WeightSource,
  weightSource,
} from '../../src/index.ts';
import { goldensRoot, itWith, sharedSource } from '../data/helpers/shared_data.ts';
import {
  CLIP_CONVERTER,
  MINDEYE1,
  MINDEYE1_LOW_LEVEL,
  MINDEYE2,
  MINDEYE2_SMALL,
  sizes,
  TINY_MINDEYE2,
} from './sizes.ts';

/** A file that has these tensors, without numbers. */
function described(
  weights: Iterable<Pick<ExpectedWeight, 'name' | 'shape'>>,
  dtype: WeightEntry['dtype'] = 'f32',
) {
  const entries = new Map<string, WeightEntry>();
  for (const { name, shape } of weights) entries.set(name, { name, dtype, shape, byteLength: 0 });
  return { name: 'last.pth', entries };
}
const parameters = (weights: readonly ExpectedWeight[]) =>
  weights.reduce((sum, { shape }) => sum + elementCount(shape)!, 0);

function problemsOf(
  weights: Iterable<Pick<ExpectedWeight, 'name' | 'shape'>>,
  schema: WeightSchema = mindeye2,
) {
  try {
    matchWeights(described(weights), schema);
  } catch (error) {
    if (!(error instanceof F2iError)) throw error;
    expect(error).toMatchObject({ code: 'FORMAT', file: 'last.pth' });
    return error.message.split('\n').map((line) => line.trim());
  }
  return [];
}

describe('schemas', () => {
  // Counts of the originals: rotary frequencies are one tensor that all layers of the prior share.
  const published: [string, WeightSchema, ModelSizes, number, (name: string) => boolean][] = [
    ['MindEye2, one subject', mindeye2, MINDEYE2, 2_227_294_844, () => true],
    [
      'its backbone with the blurry branch',
      mindeye2,
      MINDEYE2,
      1_903_020_028,
      (name) => name.startsWith('backbone.'),
    ],
    ['its subject 1', mindeye2, MINDEYE2, 64_409_600, (name) => name.startsWith('ridge.')],
    ['its prior', mindeye2, MINDEYE2, 259_865_216, (name) => name.startsWith('diffusion_prior.')],
    ['its decoder', mindeye2, MINDEYE2, 1_750_692, (name) => name.includes('.bupsampler.')],
    ['its inert mixer', mindeye2, MINDEYE2, 134_283_264, (name) => name.includes('.mixer_blocks1.')],
    ['1024 hidden units, no blurry branch', mindeye2, MINDEYE2_SMALL, 729_327_896, () => true],
    ['MindEye1 voxel2clip', mindeye1, MINDEYE1, 947_579_904, (name) => name.startsWith('voxel2clip.')],
    ['MindEye1 prior', mindeye1, MINDEYE1, 56_055_184, (name) => name.startsWith('net.')],
  ];
  it.each(published)('%s has the published number of parameters', (_, schema, of, count, isPart) => {
    const isCounted = ({ name }: ExpectedWeight) =>
      isPart(name) && !/layers\.[1-9]\.0\.rotary_emb/.test(name);
    expect(parameters(expectedWeights(schema, of).filter(isCounted))).toBe(count);
  });

  it.each([
    [mindeye2, MINDEYE2],
    [mindeye2, MINDEYE2_SMALL],
    [mindeye1, MINDEYE1],
    [mindeye1LowLevel, MINDEYE1_LOW_LEVEL],
    [clipConverter, CLIP_CONVERTER],
  ] as const)('recover the sizes of the model that made the file: %#', (schema, of) => {
    const weights = expectedWeights(schema, of);
    const matched = matchWeights(described(weights), schema);
    expect(Object.fromEntries(matched.extents)).toEqual(Object.fromEntries(of.extents));
    expect(Object.fromEntries(matched.counts)).toEqual(Object.fromEntries(of.counts));
    expect([...matched.groups].sort()).toEqual([...of.groups].sort());
    expect([...matched.weights.keys()]).toEqual(weights.map(({ name }) => name));
  });

  it('find several subjects, each with their own voxels', () => {
    const of = sizes(
      { ...Object.fromEntries(TINY_MINDEYE2.extents), 'voxels[1]': 9, 'voxels[2]': 11 },
      { subject: 3, block: 2, layer: 1 },
      ['prior'],
    );
    const { extents, counts } = matchWeights(described(expectedWeights(mindeye2, of)), mindeye2);
    expect([0, 1, 2].map((s) => extents.get(`voxels[${s}]`))).toEqual([7, 9, 11]);
    expect(counts.get('subject')).toBe(3);
  });

  const tiny = expectedWeights(mindeye2, TINY_MINDEYE2);
  const renamed = (change: (name: string) => string) =>
    tiny.map((weight) => ({ ...weight, name: change(weight.name) }));

  it.each(['', 'model_state_dict.', 'module.', 'model_state_dict.module.', 'state_dict.'])(
    'with the prefix "%s"',
    (prefix) => {
      const matched = matchWeights(described(renamed((name) => prefix + name)), mindeye2);
      expect(matched.prefix).toBe(prefix);
      expect([...matched.weights.keys()]).toEqual(tiny.map(({ name }) => name));
      expect(matched.weights.get(tiny[0]!.name)!.stored.name).toBe(prefix + tiny[0]!.name);
    },
  );

  it('of attention in diffusers 0.13', () => {
    const old = { to_q: 'query', to_k: 'key', to_v: 'value', 'to_out.0': 'proj_attn' };
    const names = renamed((name) =>
      name.replace(
        /(mid_block\.attentions\.0\.)(to_q|to_k|to_v|to_out\.0)\./,
        (_, path, key: keyof typeof old) => `${path}${old[key]}.`,
      ),
    );
    expect(names.filter(({ name }) => name.includes('.query.'))).toHaveLength(2);
    expect([...matchWeights(described(names), mindeye2).weights.keys()]).toEqual(
      tiny.map(({ name }) => name),
    );
    const both = [...tiny, names.find(({ name }) => name.includes('.query.weight'))!];
    expect(problemsOf(both).join()).toMatch(/query\.weight.*two names of one tensor/);
  });

  it('ignore what training leaves, and nothing else', () => {
    const extra = [
      'optimizer_state_dict.state.0.exp_avg',
      'lr_scheduler.x',
      'train_losses.0',
      'model_state_dict.diffusion_prior.noise_scheduler.betas',
    ].map((name) => ({ name, shape: [100], meaning: '' }));
    const file = [...renamed((name) => `model_state_dict.${name}`), ...extra];
    expect(matchWeights(described(file), mindeye2).ignored).toEqual(extra.map(({ name }) => name));
    const odd = { name: 'model_state_dict.backbone.new_head.weight', shape: [3], meaning: '' };
    expect(problemsOf([...file, odd])).toEqual([
      'last.pth: 1 key does not fit the model mindeye2:',
      'extra model_state_dict.backbone.new_head.weight [3]',
    ]);
  });

  it('name each key that is missing, with its shape', () => {
    for (const { name, shape } of tiny) {
      const [head, ...rest] = problemsOf(tiny.filter((weight) => weight.name !== name));
      // Without its only tensor of an index, a subject does not exist.
      expect(head, name).toMatch(/1 key does not fit/);
      expect(rest[0]).toMatch(new RegExp(`^missing ${name.replaceAll('.', '\\.')} \\(expected \\[`));
      const known = shape.join(', ');
      if (!/voxels|null_kv|rotary|relative/.test(rest[0]!)) expect(rest[0]).toContain(`[${known}]`);
    }
  });

  it('name each key of another shape, and no other', () => {
    const several = tiny.filter(
      ({ name }) => !/ridge.*weight|null_kv|rotary|relative|b_maps_projector\.6|conv_out/.test(name),
    );
    for (const { name, shape } of several) {
      const changed = tiny.map((weight) =>
        weight.name === name ? { ...weight, shape: [shape[0]! + 1, ...shape.slice(1)] } : weight,
      );
      const [, ...rest] = problemsOf(changed);
      expect(rest, name).toHaveLength(1);
      expect(rest[0]).toContain(`${name} has the shape [${[shape[0]! + 1, ...shape.slice(1)].join(', ')}]`);
    }
    const flat = tiny.map((weight) =>
      weight.shape.length === 4 ? { ...weight, shape: weight.shape.slice(0, 2) } : weight,
    );
    expect(problemsOf(flat).length).toBeGreaterThan(20);
    expect(problemsOf(flat)).toHaveLength(22);
    expect(problemsOf(flat).at(-1)).toMatch(/^and \d+ more$/);
  });

  it('name holes between indices, and half a group', () => {
    const hole = tiny.filter(({ name }) => !name.includes('mixer_blocks1.0.'));
    expect(
      problemsOf(hole).filter((line) => line.startsWith('missing backbone.mixer_blocks1.0.')),
    ).toHaveLength(6);
    const half = tiny.filter(({ name }) => !name.includes('bupsampler'));
    expect(problemsOf(half)[0]).toMatch(/keys do not fit/);
    expect(problemsOf(half)[1]).toMatch(/^missing backbone\.bupsampler/);
  });

  it('refuse whole numbers, and files of something else', () => {
    expect(() => matchWeights(described(tiny, 'i64'), mindeye2)).toThrow(/is of i64; expected floats/);
    expect(() => matchWeights(described([{ name: 'a', shape: [1] }]), mindeye2)).toThrow(
      /none of its keys.*ridge\.linears\.0\.weight, found a/,
    );
    expect(() => matchWeights(described([]), mindeye2)).toThrow(/no tensors/);
  });
});

/** The weights of a golden case. */
async function golden(name: string): Promise<WeightSource> {
  const source = await openWeights(await sharedSource(`${name}.safetensors`, goldensRoot));
  const entries = new Map<string, WeightEntry>();
  for (const entry of source.entries.values()) {
    const key = entry.name.replace(/^weights\./, '');
    if (key !== entry.name) entries.set(key, { ...entry, name: key });
  }
  return weightSource({
    name,
    format: 'safetensors',
    entries,
    readElements: (key, ...rest) => source.readElements(`weights.${key}`, ...rest),
  });
}

describe('weights of the originals', () => {
  const cases: [string, WeightSchema][] = [
    ['mindeye2_backbone_grads_seq4', mindeye2Backbone],
    ['mindeye2_prior_a', mindeyePrior],
    ['mindeye2_prior_long', mindeyePrior],
    ['mindeye2_prior_sampling_ddim', mindeyePrior],
    ['mindeye1_prior_sampling_ddpm', mindeyePrior],
    ['mindeye1_voxel2clip', mindeye1Voxel2clip],
    ['clip_converter', clipConverter],
    ['mindeye2_backbone_seq1', mindeye2],
    ['mindeye2_backbone_seq1_blurry', mindeye2],
    ['mindeye2_backbone_seq4', mindeye2],
    ['mindeye2_grads_mixco_nodrop', mindeye2],
    ['mindeye2_train3', mindeye2],
  ];
  for (const [name, schema] of cases) {
    itWith('goldens', `${name}.safetensors`)(`${name} fits ${schema.model}`, async () => {
      const source = await golden(name);
      const matched = matchWeights(source, schema);
      expect(matched.weights.size + matched.ignored.length).toBe(source.entries.size);
      for (const { stored } of matched.weights.values()) {
        const { data, shape } = await source.read(stored.name);
        expect(data).toHaveLength(elementCount(shape)!);
      }
    });
  }

  itWith('goldens', 'mindeye2_blurry_fullsize_part0.safetensors')(
    'the full-size blurry branch, in three files',
    async () => {
      const parts = await Promise.all(
        [0, 1, 2].map((part) => golden(`mindeye2_blurry_fullsize_part${part}`)),
      );
      const { extents, weights } = matchWeights(mergeWeights(parts), mindeye2Blurry);
      expect(Object.fromEntries(extents)).toEqual({
        blurChannels: 64,
        top: 128,
        middle: 64,
        narrow: 32,
        latent: 4,
        maps: 512,
        mapsOut: 512,
      });
      const decoder = [...weights.values()].filter(({ name }) => name.startsWith('bupsampler.'));
      expect(decoder.reduce((sum, { stored }) => sum + elementCount(stored.shape)!, 0)).toBe(1_750_692);
      expect(() => mergeWeights([parts[0]!, parts[0]!])).toThrow(/two files hold a tensor of the same name/);
    },
  );

  it('are compared as a whole file of safetensors', async () => {
    const random = createRandom(3);
    const tensors = expectedWeights(
      clipConverter,
      sizes({ tokens: 4, tokensOut: 5, clip: 6, clipOut: 3 }),
    ).map(({ name, shape }) => ({
      name,
      dtype: 'f32' as const,
      shape,
      data: Float32Array.from(random.normals(elementCount(shape)!)),
    }));
    const source = await openWeights(bytesSource(encodeSafetensors(tensors), 'c.safetensors'));
    expect(matchWeights(source, clipConverter).weights.size).toBe(4);
    expect((await source.readRows('linear1.weight', 1, 3)).data).toEqual(tensors[0]!.data.slice(4, 12));
  });
});

describe('files that hold no model', () => {
  const opened = (bytes: readonly number[] | string, name = 'last.pth') => {
    const content = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : Uint8Array.from(bytes);
    return openWeights(bytesSource(content, name));
  };

  it('are told by how they begin', async () => {
    await expect(opened('# notes of a day')).rejects.toThrow(
      /last\.pth: not a file of weights.*torch\.save.*safetensors.*"# notes " \(23 20 6e/s,
    );
    await expect(opened([0xff, 0, 1])).rejects.toThrow(/begins with ff 00 01$/);
    await expect(opened('')).rejects.toThrow(/found an empty file/);
    await expect(opened('short', 'a.safetensors')).rejects.toThrow(/too short for safetensors/);
  });

  it('as pickles by themselves name what the pickle wants to call', async () => {
    // pickle.dumps(os.system, protocol=2), with its argument.
    const evil = [0x80, 2, ...new TextEncoder().encode('cos\nsystem\nX\x02\0\0\0ls\x85R.')];
    await expect(opened(evil)).rejects.toThrow(/opcode GLOBAL at byte 2: .*"os\.system"/s);
    // {}
    await expect(opened([0x80, 4, 0x7d, 0x2e])).rejects.toThrow(/a pickle by itself, without tensors/);
  });

  it('with a safetensors header as long as a pickle begins are safetensors', async () => {
    const padded = encodeSafetensors([{ name: 'a', dtype: 'f32', shape: [1], data: new Float32Array(1) }]);
    const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0, true);
    const bytes = new Uint8Array(8 + 0x280 + 4);
    bytes.set([0x80, 2, 0, 0, 0, 0, 0, 0]);
    bytes.fill(0x20, 8, 8 + 0x280);
    bytes.set(padded.subarray(8, 8 + length), 8);
    expect([...(await opened([...bytes], 'a.bin')).entries.keys()]).toEqual(['a']);
  });

  it('of few keys of the model do not say what its sizes are', () => {
    const few = described([{ name: 'ridge.linears.0.weight', shape: [2, 3] }]);
    expect(() => matchWeights(few, mindeye2)).toThrow(/missing ridge\.linears\.0\.bias \(expected \[h\]\)/);
  });
});
