import { defineSchema, linear, norm, under, type WeightRule } from '../schema.ts';
import { projector } from './mindeye2.ts';
import { priorNetwork } from './prior.ts';
import { VAE_RENAMED, vaeDecoder } from './vaeDecoder.ts';

const voxel2clip: readonly WeightRule[] = [
  ...linear('lin0.0', ['h', 'voxels'], 'voxels to hidden units'),
  ...norm('lin0.1', 'h', 'voxels to hidden units'),
  ...linear('mlp.{block}.0', ['h', 'h'], 'residual block'),
  ...norm('mlp.{block}.1', 'h', 'residual block'),
  ...linear('lin1', ['tokens*clip', 'h'], 'hidden units to tokens'),
  ...projector('projector', 'clip', 'projected'),
];

/** MindEye1's residual network by itself. */
export const mindeye1Voxel2clip = defineSchema('mindeye1 voxel2clip', voxel2clip, {
  prefixes: ['voxel2clip.'],
});

/**
 * MindEye1 (Scotti et al. 2023): residual network with projector, and diffusion prior, as one checkpoint holds both. A
 * model that was trained without its prior holds the network alone.
 */
export const mindeye1 = defineSchema(
  'mindeye1',
  [
    ...under('voxel2clip.', voxel2clip),
    ...under('net.', priorNetwork({ dim: 'clip', tokens: 'tokens' }), 'prior'),
  ],
  { prefixes: ['diffusion_prior.', 'model_state_dict.diffusion_prior.'] },
);

/** MindEye1's low-level branch: voxels to a latent of 4 x 64 x 64 of Stable Diffusion; its linear layers have no bias. */
export const mindeye1LowLevel = defineSchema(
  'mindeye1-low-level',
  [
    ...linear('lin0.0', ['h', 'voxels'], 'voxels to hidden units', false),
    ...norm('lin0.1', 'h', 'voxels to hidden units'),
    ...linear('mlp.{block}.0', ['h', 'h'], 'residual block', false),
    ...norm('mlp.{block}.1', 'h', 'residual block'),
    ...linear('lin1', ['256*blurChannels', 'h'], 'hidden units to 16 x 16 maps', false),
    ...norm('norm', 'blurChannels', 'norm of the maps'),
    ...under('upsampler.', vaeDecoder('blurChannels')),
    ...under(
      'maps_projector.',
      [
        ...linear('0', ['maps', 'blurChannels', '1', '1'], 'maps (training)', false),
        ...norm('1', 'maps', 'maps (training)'),
        ...linear('3', ['maps', 'maps', '1', '1'], 'maps (training)', false),
        ...norm('4', 'maps', 'maps (training)'),
        ...linear('6', ['mapsOut', 'maps', '1', '1'], 'maps (training)'),
      ],
      'maps',
    ),
  ],
  { prefixes: ['voxel2sd.', 'model_state_dict.voxel2sd.'], renamed: VAE_RENAMED },
);
