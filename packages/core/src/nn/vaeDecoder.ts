import { attention, permute, upsampleNearest } from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';
import { channelNorm, convolution, dense, throughHalf } from './layers.ts';
import type { Network } from './network.ts';
import type { ForwardOptions } from './observe.ts';

/** Of all norms of the decoder, as diffusers has them. */
const GROUPS = 32;
const EPS = 1e-6;

/**
 * Decoder of the variational autoencoder in diffusers (0.13 to 0.23): a convolution, two residual units around a
 * self-attention, then blocks of residual units, each but the last one doubling height and width.
 *
 * @param network holds `conv_in.*`, `mid_block.*`, `up_blocks.*`, `conv_norm_out.*`, `conv_out.*`
 * @param x [b, c, h, w]
 * @returns [b, c', 4 h, 4 w] with three blocks
 */
export function vaeDecoder(network: Network, x: Tensor, options: ForwardOptions = {}): Tensor {
  const { observe, signal } = options;
  const seen = (name: string, value: Tensor) => {
    observe?.(name, value);
    return value;
  };
  // Maps grow to the size of the picture: what a part makes for itself goes with it.
  const unit = (name: string, value: Tensor) => {
    const part = network.under(`${name}.`);
    return seen(
      name,
      network.backend.scope(() => residualUnit(part, value, options)),
    );
  };
  let y = seen('conv_in', convolution(network, 'conv_in', x, { padding: 1, signal }));
  y = unit('mid_block.resnets.0', y);
  const middle = network.under('mid_block.attentions.0.');
  const attended = network.backend.scope(() => selfAttention(middle, y, options));
  y = unit('mid_block.resnets.1', seen('mid_block.attentions.0', attended));
  observe?.('mid_block', y);
  for (let block = 0; network.has(`up_blocks.${block}.resnets.0.conv1.weight`); block++) {
    const name = `up_blocks.${block}`;
    for (let i = 0; network.has(`${name}.resnets.${i}.conv1.weight`); i++)
      y = unit(`${name}.resnets.${i}`, y);
    if (network.has(`${name}.upsamplers.0.conv.weight`)) {
      const doubled = upsampleNearest(y, 2, { signal });
      y = convolution(network, `${name}.upsamplers.0.conv`, doubled, { padding: 1, signal });
    }
    observe?.(name, y);
  }
  const normed = channelNorm(network, 'conv_norm_out', y, GROUPS, { eps: EPS, activation: 'silu', signal });
  return seen('conv_out', convolution(network, 'conv_out', normed, { padding: 1, signal }));
}

/** Twice norm, SiLU and convolution, added to the input; a 1 x 1 convolution fits its channels where they change. */
function residualUnit(network: Network, x: Tensor, { signal }: ForwardOptions): Tensor {
  const active = { eps: EPS, activation: 'silu', signal } as const;
  const first = convolution(network, 'conv1', channelNorm(network, 'norm1', x, GROUPS, active), {
    padding: 1,
    signal,
  });
  const shortcut = network.has('conv_shortcut.weight')
    ? convolution(network, 'conv_shortcut', x, { signal })
    : x;
  const second = channelNorm(network, 'norm2', first, GROUPS, active);
  return convolution(network, 'conv2', second, { padding: 1, residual: shortcut, signal });
}

/** Every pixel looks at every other, with one head as wide as the channels; added to the input. */
function selfAttention(network: Network, x: Tensor, { signal }: ForwardOptions): Tensor {
  const [b = 0, c = 0, h = 0, w = 0] = x.shape;
  const normed = channelNorm(network, 'group_norm', x.reshape(b, c, h * w), GROUPS, { eps: EPS, signal });
  const tokens = permute(normed, [0, 2, 1], { signal });
  const [q, k, v] = ['to_q', 'to_k', 'to_v'].map((name) =>
    dense(network, name, tokens, { signal }).reshape(b, 1, h * w, c),
  ) as [Tensor, Tensor, Tensor];
  const exact = attention(q, k, v, { signal }).reshape(b, h * w, c);
  const attended = network.arithmetic === 'f32' ? exact : throughHalf(exact, { signal });
  const back = permute(x.reshape(b, c, h * w), [0, 2, 1], { signal });
  const y = dense(network, 'to_out.0', attended, { residual: back, signal });
  return permute(y, [0, 2, 1], { signal }).reshape(b, c, h, w);
}
