import { linear, norm, under, type WeightRule } from '../schema.ts';

/**
 * Decoder of the variational autoencoder in diffusers, with three blocks of two residual units and one self-attention in
 * the middle. Symbols: channels of the blocks, the first one's first (`top`, `middle`, `narrow`). Names are those of diffusers
 * 0.23; `VAE_RENAMED` translates 0.13.
 */
export function vaeDecoder(input: string): WeightRule[] {
  const blocks: [from: string, to: string][] = [
    ['top', 'top'],
    ['top', 'middle'],
    ['middle', 'narrow'],
  ];
  const attention = 'mid_block.attentions.0';
  return [
    ...linear('conv_in', ['top', input, '3', '3'], 'decoder: first convolution'),
    ...blocks.flatMap(([from, to], i) => [
      ...under(`up_blocks.${i}.resnets.0.`, residual(from, to)),
      ...under(`up_blocks.${i}.resnets.1.`, residual(to, to)),
      ...(i < 2
        ? linear(
            `up_blocks.${i}.upsamplers.0.conv`,
            [to, to, '3', '3'],
            'decoder: convolution after doubling',
          )
        : []),
    ]),
    ...norm(`${attention}.group_norm`, 'top', 'decoder attention: norm'),
    ...['to_q', 'to_k', 'to_v', 'to_out.0'].flatMap((name) =>
      linear(`${attention}.${name}`, ['top', 'top'], 'decoder attention'),
    ),
    ...under('mid_block.resnets.0.', residual('top', 'top')),
    ...under('mid_block.resnets.1.', residual('top', 'top')),
    ...norm('conv_norm_out', 'narrow', 'decoder: last norm'),
    ...linear('conv_out', ['latent', 'narrow', '3', '3'], 'decoder: last convolution'),
  ];
}

function residual(from: string, to: string): WeightRule[] {
  const shortcut = linear(
    'conv_shortcut',
    [to, from, '1', '1'],
    'decoder: matches the channels of a residual',
  );
  return [
    ...norm('norm1', from, 'decoder: norm of a residual unit'),
    ...linear('conv1', [to, from, '3', '3'], 'decoder: convolution of a residual unit'),
    ...norm('norm2', to, 'decoder: norm of a residual unit'),
    ...linear('conv2', [to, to, '3', '3'], 'decoder: convolution of a residual unit'),
    ...(from === to ? [] : shortcut.map((rule): WeightRule => ({ ...rule, differ: [from, to] }))),
  ];
}

/** Names of the self-attention in diffusers before 0.15. */
export const VAE_RENAMED: readonly (readonly [string, string])[] = (
  [
    ['query', 'to_q'],
    ['key', 'to_k'],
    ['value', 'to_v'],
    ['proj_attn', 'to_out.0'],
  ] as const
).map(([from, to]) => [`mid_block.attentions.0.${from}.`, `mid_block.attentions.0.${to}.`] as const);
