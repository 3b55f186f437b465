import {
  backboneTokens,
  blurryLatent,
  blurryMaps,
  blurryMaps7,
  blurryNorm,
  mix,
  retrievalTokens,
  toSharedSpace,
} from '../../src/decoders/mindeye2/network.ts';
import { mixerConstants } from '../../src/nn/mixer.ts';
import { concat } from '../../src/ops/concat.ts';
import type { Tensor } from '../../src/tensor.ts';
import { mindeye2 } from '../../src/weights/schemas/index.ts';
import { type Adapter, type Produced, upload } from './adapter.ts';
import type { GoldenCase } from './case.ts';
import { goldenNetwork, Results } from './network.ts';

/** Ridge layers of all subjects and the backbone: mixer folded where there is one position, live otherwise. */
export const mindeye2Backbone: Adapter = {
  prefix: 'mindeye2_backbone',
  async run(golden, backend) {
    const { source, matched, network } = await goldenNetwork(golden, backend, mindeye2);
    const { extents, counts, groups } = matched;
    const backbone = network.under('backbone.');
    const results = new Results();
    const observe = (name: string, value: Tensor) => watched(golden, results, name, value);

    const inputs = [...Array(counts.get('subject')!).keys()];
    const ridges: Tensor[] = [];
    for (const subject of inputs) {
      const x = await upload(golden, backend, `in.voxels.subj${subject}`);
      ridges.push(toSharedSpace(network, subject, x));
      results.add(`mid.ridge.subj${subject}`, ridges[subject]!);
    }
    const ridge = concat(ridges, 0);
    results.add('mid.voxel_ridge', ridge);
    const one = async (name: string) => {
      const { stored } = matched.weights.get(`backbone.${name}`)!;
      return Number((await source.read(stored.name)).data[0]);
    };
    const constants = extents.get('seq') === 1 ? await mixerConstants(counts.get('block')!, one) : undefined;
    const hidden = mix(backbone, ridge, constants && sum(constants), { observe });
    results.add('mid.mixer_output_flat', hidden);
    const tokens = backboneTokens(backbone, hidden, [extents.get('tokens')!, extents.get('clip')!]);
    results.add('out.backbone_tokens', tokens);
    results.add('out.clip_voxels', retrievalTokens(backbone, tokens, { observe }));
    if (groups.has('blurry')) {
      const normed = blurryNorm(backbone, blurryMaps7(backbone, hidden), { observe });
      results.add('out.blurry_latent', blurryLatent(backbone, normed, { observe }));
      results.add('out.blurry_maps', blurryMaps(backbone, normed));
    }
    const all = await results.all();
    const [rows = 0, , h = 0] = ridge.shape;
    for (const [i, constant] of constants?.entries() ?? []) {
      all.set(`mid.mixer2.${i}.branch`, filled([rows, h, 1], constant));
    }
    network.dispose();
    return all;
  },
};

/** What the files call the modules that are watched. */
const NAMES: readonly (readonly [module: RegExp, name: string])[] = [
  [/^mixer_blocks([12])\.(\d+)$/, 'mid.mixer$1.$2.branch'],
  [/^(clip_proj\.\d|bnorm)$/, 'mid.$1'],
  [/^(bupsampler\.conv_in)$/, 'mid.$1.row0'],
  [/^bupsampler\.mid_block\.resnets\.0$/, 'mid.bupsampler.mid.resnet0.row0'],
  [/^bupsampler\.mid_block\.attentions\.0$/, 'mid.bupsampler.mid.attn.row0'],
  [/^bupsampler\.mid_block$/, 'mid.bupsampler.mid.row0'],
  [/^bupsampler\.up_blocks\.(\d)$/, 'mid.bupsampler.up$1.row0'],
];

function watched(golden: GoldenCase, results: Results, module: string, value: Tensor): void {
  const [pattern, named] = NAMES.find(([each]) => each.test(module)) ?? [];
  if (!pattern || named === undefined) return;
  const name = module.replace(pattern, named);
  if (golden.has(name)) results.add(name, name.endsWith('.row0') ? value.rows(0, 1) : value);
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

function filled(shape: readonly number[], value: number): Produced {
  return { shape, data: new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(value) };
}
