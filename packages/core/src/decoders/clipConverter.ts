import { dense } from '../nn/layers.ts';
import type { Network } from '../nn/network.ts';
import type { ForwardOptions } from '../nn/observe.ts';
import { permute } from '../ops/permute.ts';
import type { Tensor } from '../tensor.ts';

/**
 * MindEye2's CLIPConverter (Scotti et al. 2024): tokens of OpenCLIP bigG to those of CLIP L, which a captioner reads. A
 * linear layer over tokens, then one over channels.
 *
 * @param network of `clipConverter`
 * @param x [n, tokens, clip]
 * @returns [n, tokens', clip']
 */
export function convertClipTokens(network: Network, x: Tensor, { signal }: ForwardOptions = {}): Tensor {
  const overTokens = dense(network, 'linear1', permute(x, [0, 2, 1], { signal }), { signal });
  return dense(network, 'linear2', permute(overTokens, [0, 2, 1], { signal }), { signal });
}
