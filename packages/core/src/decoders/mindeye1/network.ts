import { channelNorm, dense, norm } from '../../nn/layers.ts';
import type { Network } from '../../nn/network.ts';
import { type ForwardOptions, within } from '../../nn/observe.ts';
import { projector } from '../../nn/projector.ts';
import { vaeDecoder } from '../../nn/vaeDecoder.ts';
import { add, div, linear, slice, sqrt, squareOf } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';

/**
 * MindEye1 (Scotti et al. 2023, arXiv:2305.18274) on a device: a residual network from voxels to CLIP tokens, its
 * projector, what becomes of the prior's samples, and the low-level branch. Names are those of the checkpoints.
 */

/** Side of the maps that the low-level branch starts from. */
const MAP_SIDE = 16;

/**
 * Voxels to tokens of CLIP ViT-L/14: the input of the prior.
 *
 * @param network holds `lin0.*`, `mlp.*`, `lin1.*`
 * @param x [n, voxels]
 * @returns [n, tokens * clip]
 */
export function voxelsToTokens(network: Network, x: Tensor, options: ForwardOptions = {}): Tensor {
  const hidden = residualBlocks(network, x, 'gelu_erf', options);
  return dense(network, 'lin1', hidden, { signal: options.signal });
}

/** Embedding that retrieval compares with pictures: [n, tokens, clip] to the same. */
export function retrievalTokens(network: Network, tokens: Tensor, options: ForwardOptions = {}): Tensor {
  return projector(network.under('projector.'), tokens, within('projector.', options));
}

/** As published; it keeps a division by 0 away. */
const CLS_EPS = 1e-6;

/**
 * Samples of the prior in the units of CLIP: the prior was trained on targets times sqrt(dim), and the targets were
 * divided by the norm of their first token (CLS), which the published program does to the samples, too.
 *
 * @param samples [n, tokens, dim]
 * @param byCls whether each is divided by the norm of its own first token
 */
export function priorTokens(
  samples: Tensor,
  { byCls = true, signal }: ForwardOptions & { byCls?: boolean } = {},
): Tensor {
  const [n = 0, tokens = 0, dim = 0] = samples.shape;
  const scaled = div(samples, Math.sqrt(dim), { signal });
  if (!byCls) return scaled;
  const cls = slice(scaled, 1, 0, 1, { signal }).reshape(n, dim);
  const ones = samples.backend.tensor(new Float32Array(dim).fill(1), [1, dim]);
  const norms = add(sqrt(linear(squareOf(cls, { signal }), ones, { signal }), { signal }), CLS_EPS, {
    signal,
  });
  return div(scaled.reshape(n, tokens * dim), norms, { signal }).reshape(n, tokens, dim);
}

/**
 * First part of the low-level branch: voxels to maps.
 *
 * @param network of `mindeye1LowLevel`
 * @param x [n, voxels]
 * @returns [n, channels, 16, 16]
 */
export function lowLevelMaps(network: Network, x: Tensor, options: ForwardOptions = {}): Tensor {
  const { signal } = options;
  const flat = dense(network, 'lin1', residualBlocks(network, x, 'silu', options), { signal });
  const maps = flat.reshape(x.shape[0]!, flat.shape[1]! / MAP_SIDE ** 2, MAP_SIDE, MAP_SIDE);
  return channelNorm(network, 'norm', maps, 1, { signal });
}

/**
 * Latent of Stable Diffusion's autoencoder, times 0.18215.
 *
 * @param maps [n, channels, 16, 16]
 * @returns [n, 4, 64, 64]
 */
export function lowLevelLatent(network: Network, maps: Tensor, options: ForwardOptions = {}): Tensor {
  return vaeDecoder(network.under('upsampler.'), maps, within('upsampler.', options));
}

/** Linear layer, layer norm and activation; then blocks of the same, each added to what goes into it. */
function residualBlocks(
  network: Network,
  x: Tensor,
  activation: 'gelu_erf' | 'silu',
  { observe, signal }: ForwardOptions,
): Tensor {
  const block = (name: string, input: Tensor) =>
    norm(network, `${name}.1`, dense(network, `${name}.0`, input, { signal }), { activation, signal });
  let y = block('lin0', x);
  observe?.('lin0', y);
  for (let i = 0; network.has(`mlp.${i}.0.weight`); i++) y = add(block(`mlp.${i}`, y), y, { signal });
  return y;
}
