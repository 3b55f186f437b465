import { channelNorm, convolution, dense } from '../../nn/layers.ts';
import { mixer } from '../../nn/mixer.ts';
import type { Network } from '../../nn/network.ts';
import { type ForwardOptions, within } from '../../nn/observe.ts';
import { projector } from '../../nn/projector.ts';
import { vaeDecoder } from '../../nn/vaeDecoder.ts';
import { add, permute } from '../../ops/index.ts';
import type { Tensor } from '../../tensor.ts';

/**
 * MindEye2 (Scotti et al. 2024, arXiv:2403.11207) on a device: voxels to the space that all subjects share, to CLIP
 * tokens, to a retrieval embedding and a blurry latent. Names are those of the published checkpoints.
 */

/** Side of the maps that the blurry branch starts from. */
const MAP_SIDE = 7;

/**
 * Voxels of one subject to the shared space; each position by the same layer.
 *
 * @param x [n, positions, voxels]
 * @returns [n, positions, h]
 */
export function toSharedSpace(
  network: Network,
  subject: number,
  x: Tensor,
  options: ForwardOptions = {},
): Tensor {
  return dense(network, `ridge.linears.${subject}`, x, { signal: options.signal });
}

/**
 * The mixer, as one vector a trial.
 *
 * @param backbone what lies under `backbone.`
 * @param x [n, positions, h]
 * @param constant what a mixer of one position adds (`mixerConstants`); without it, the mixer runs
 * @returns [n, positions * h]
 */
export function mix(
  backbone: Network,
  x: Tensor,
  constant: number | undefined,
  options: ForwardOptions = {},
): Tensor {
  const [n = 0, positions = 0, h = 0] = x.shape;
  const mixed =
    constant === undefined ? mixer(backbone, x, options) : add(x, constant, { signal: options.signal });
  return mixed.reshape(n, positions * h);
}

/**
 * Tokens in the space of OpenCLIP bigG: rows of the layer are read in shards.
 *
 * @param hidden [n, positions * h]
 * @returns [n, tokens, clip]
 */
export function backboneTokens(
  backbone: Network,
  hidden: Tensor,
  [tokens, clip]: readonly [number, number],
  { signal }: ForwardOptions = {},
): Tensor {
  return dense(backbone, 'backbone_linear', hidden, { signal }).reshape(hidden.shape[0]!, tokens, clip);
}

/** Embedding that retrieval compares with pictures: [n, tokens, clip] to the same. */
export function retrievalTokens(backbone: Network, tokens: Tensor, options: ForwardOptions = {}): Tensor {
  return projector(backbone.under('clip_proj.'), tokens, within('clip_proj.', options));
}

/**
 * First layer of the blurry branch.
 *
 * @param hidden [n, positions * h]
 * @returns [n, channels, 7, 7]
 */
export function blurryMaps7(backbone: Network, hidden: Tensor, { signal }: ForwardOptions = {}): Tensor {
  const flat = dense(backbone, 'blin1', hidden, { signal });
  return flat.reshape(hidden.shape[0]!, flat.shape[1]! / MAP_SIDE ** 2, MAP_SIDE, MAP_SIDE);
}

/** The norm that both ends of the blurry branch begin with: one group, [n, channels, 7, 7]. */
export function blurryNorm(
  backbone: Network,
  maps: Tensor,
  { observe, signal }: ForwardOptions = {},
): Tensor {
  const normed = channelNorm(backbone, 'bnorm', maps, 1, { signal });
  observe?.('bnorm', normed);
  return normed;
}

/**
 * Latent of Stable Diffusion's autoencoder, times 0.18215: what a blurry picture is decoded from.
 *
 * @param normed [n, channels, 7, 7]
 * @returns [n, 4, 28, 28]
 */
export function blurryLatent(backbone: Network, normed: Tensor, options: ForwardOptions = {}): Tensor {
  return vaeDecoder(backbone.under('bupsampler.'), normed, within('bupsampler.', options));
}

/**
 * Embedding that training compares with maps of a ConvNeXt: three 1 x 1 convolutions.
 *
 * @param normed [n, channels, 7, 7]
 * @returns [n, 49, 512]
 */
export function blurryMaps(backbone: Network, normed: Tensor, { signal }: ForwardOptions = {}): Tensor {
  const network = backbone.under('b_maps_projector.');
  let y = convolution(network, '0', normed, { signal });
  for (const i of [1, 4]) {
    const active = channelNorm(network, `${i}`, y, 1, { activation: 'relu', signal });
    y = convolution(network, `${i + 2}`, active, { signal });
  }
  const [n = 0, c = 0, h = 0, w = 0] = y.shape;
  return permute(y.reshape(n, c, h * w), [0, 2, 1], { signal });
}
