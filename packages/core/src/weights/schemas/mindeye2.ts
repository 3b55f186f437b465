import { defineSchema, linear, norm, under, type WeightRule } from '../schema.ts';
import { priorNetwork } from './prior.ts';
import { VAE_RENAMED, vaeDecoder } from './vaeDecoder.ts';

/** One linear layer for each subject: voxels to the space that all share. */
const ridge: readonly WeightRule[] = linear(
  'ridge.linears.{subject}',
  ['h', 'voxels[subject]'],
  'voxels of a subject to the shared space',
);

const mixer: readonly WeightRule[] = (
  [
    ['mixer_blocks1', 'h', 'mixer over the shared space (inert for one position)'],
    ['mixer_blocks2', 'seq', 'mixer over positions'],
  ] as const
).flatMap(([name, size, meaning]) => [
  ...norm(`${name}.{block}.0`, size, meaning),
  ...linear(`${name}.{block}.1.0`, [size, size], meaning),
  ...linear(`${name}.{block}.1.3`, [size, size], meaning),
]);

/** Layer norm, GELU and linear layer, three times; its hidden width may differ. */
export function projector(name: string, size: string, hidden: string): WeightRule[] {
  const meaning = 'projector of tokens to the retrieval space';
  return [
    ...norm(`${name}.0`, size, meaning),
    ...linear(`${name}.2`, [hidden, size], meaning),
    ...norm(`${name}.3`, hidden, meaning),
    ...linear(`${name}.5`, [hidden, hidden], meaning),
    ...norm(`${name}.6`, hidden, meaning),
    ...linear(`${name}.8`, [size, hidden], meaning),
  ];
}

/** From the upsampler's 64 channels at 7 x 7 to a latent of 4 x 28 x 28; and the maps that only training compares. */
const blurryModules: readonly WeightRule[] = [
  ...norm('bnorm', 'blurChannels', 'blurry branch: norm'),
  ...under('bupsampler.', vaeDecoder('blurChannels')),
  ...linear('b_maps_projector.0', ['maps', 'blurChannels', '1', '1'], 'blurry maps (training)', false),
  ...norm('b_maps_projector.1', 'maps', 'blurry maps (training)'),
  ...linear('b_maps_projector.3', ['maps', 'maps', '1', '1'], 'blurry maps (training)', false),
  ...norm('b_maps_projector.4', 'maps', 'blurry maps (training)'),
  ...linear('b_maps_projector.6', ['mapsOut', 'maps', '1', '1'], 'blurry maps (training)'),
];
const blurry: readonly WeightRule[] = [
  ...linear('blin1', ['49*blurChannels', 'seq*h'], 'blurry branch: shared space to 7 x 7 maps'),
  ...blurryModules,
];

const backbone: readonly WeightRule[] = [
  ...mixer,
  ...linear('backbone_linear', ['tokens*clip', 'seq*h'], 'shared space to tokens'),
  ...projector('clip_proj', 'clip', 'clip'),
];

/** MindEye2's backbone by itself, with or without its blurry branch. */
export const mindeye2Backbone = defineSchema(
  'mindeye2 backbone',
  [...backbone, ...under('', blurry, 'blurry')],
  {
    prefixes: ['backbone.'],
    renamed: VAE_RENAMED,
  },
);

/** The blurry branch after its first linear layer. */
export const mindeye2Blurry = defineSchema('mindeye2 blurry branch', blurryModules, {
  prefixes: ['backbone.'],
  renamed: VAE_RENAMED,
});

/** The prior's transformer by itself. */
export const mindeyePrior = defineSchema('mindeye prior', priorNetwork({ dim: 'clip', tokens: 'tokens' }), {
  prefixes: ['net.', 'diffusion_prior.net.'],
});

/**
 * MindEye2 (Scotti et al. 2024): subjects' layers, backbone, projector, blurry branch, diffusion prior. The variant of 1024
 * hidden units has no blurry branch; models that are trained for retrieval alone have no prior.
 */
export const mindeye2 = defineSchema(
  'mindeye2',
  [
    ...ridge,
    ...under('backbone.', backbone),
    ...under('backbone.', blurry, 'blurry'),
    ...under('diffusion_prior.net.', priorNetwork({ dim: 'clip', tokens: 'tokens' }), 'prior'),
  ],
  { renamed: VAE_RENAMED },
);
