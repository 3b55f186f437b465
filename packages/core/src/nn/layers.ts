import type { FusedActivation } from '../ops/activation.ts';
import {
  activation as activate,
  add,
  cast,
  conv2d,
  groupNorm,
  layerNorm,
  linear,
  type OpOptions,
  type Padding,
} from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';
import type { Network } from './network.ts';

/**
 * Layers of a network by name. Here, and in attention, is all that `autocast-f16` changes: rules of
 * https://pytorch.org/docs/stable/amp.html, section "CUDA Ops that can autocast to float16".
 */

export interface LayerOptions extends OpOptions {
  activation?: FusedActivation;
  /** Added to the result, after the activation. */
  residual?: Tensor | undefined;
}

/** Values as float16 holds them, as f32. */
export function throughHalf(x: Tensor, options: OpOptions = {}): Tensor {
  return cast(cast(x, 'f16', options), 'f32', options);
}

/** Linear layer `name` (`name.weight` [n, k], `name.bias` [n] if there is one): [..., k] to [..., n]. */
export function dense(network: Network, name: string, x: Tensor, options: LayerOptions = {}): Tensor {
  const bias = optional(network, `${name}.bias`);
  const weight = network.matrix(`${name}.weight`);
  if (network.arithmetic === 'f32') return linear(x, weight, { bias, ...options });
  return afterHalf(linear(throughHalf(x, options), weight, { bias, signal: options.signal }), options);
}

export interface ConvolutionOptions extends LayerOptions {
  stride?: number;
  padding?: number | Padding;
}

/** Convolution `name`: [b, c, h, w] to [b, o, h', w']. */
export function convolution(
  network: Network,
  name: string,
  x: Tensor,
  options: ConvolutionOptions = {},
): Tensor {
  const bias = optional(network, `${name}.bias`);
  const weight = network.tensor(`${name}.weight`);
  if (network.arithmetic === 'f32') return conv2d(x, weight, { bias, ...options });
  const { stride, padding, signal } = options;
  const plain = { bias, signal, ...(stride && { stride }), ...(padding && { padding }) };
  return afterHalf(conv2d(throughHalf(x, options), weight, plain), options);
}

/** Layer norm `name` with gain and offset, over the last axis. */
export function norm(
  network: Network,
  name: string,
  x: Tensor,
  { activation = 'none', ...options }: OpOptions & { activation?: FusedActivation; eps?: number } = {},
): Tensor {
  const gain = network.tensor(`${name}.weight`);
  const bias = network.tensor(`${name}.bias`);
  return layerNorm(x, { gain, bias, activation, ...options });
}

/** Group norm `name` over channels: [b, c, ...]. */
export function channelNorm(
  network: Network,
  name: string,
  x: Tensor,
  groups: number,
  options: OpOptions & { activation?: FusedActivation; eps?: number } = {},
): Tensor {
  const gain = network.tensor(`${name}.weight`);
  const bias = network.tensor(`${name}.bias`);
  return groupNorm(x, groups, { gain, bias, ...options });
}

function optional(network: Network, name: string): Tensor | undefined {
  return network.has(name) ? network.tensor(name) : undefined;
}

/** A result in float16, then its activation, in float16 too, then the residual in f32. */
function afterHalf(y: Tensor, { activation = 'none', residual, signal }: LayerOptions): Tensor {
  const half = throughHalf(y, { signal });
  const active =
    activation === 'none' ? half : throughHalf(activate(half, activation, { signal }), { signal });
  return residual ? add(active, residual, { signal }) : active;
}
