import type { Tensor } from '../tensor.ts';
import { dense, norm } from './layers.ts';
import type { Network } from './network.ts';
import type { ForwardOptions } from './observe.ts';

/**
 * Projector of tokens (MindEye1 and 2): layer norm, GELU and linear layer, three times, each token by itself.
 *
 * @param network holds `0.*`, `2.*`, `3.*`, `5.*`, `6.*`, `8.*`
 * @param x [..., c]
 * @returns [..., c]
 */
export function projector(network: Network, x: Tensor, { observe, signal }: ForwardOptions = {}): Tensor {
  return [0, 3, 6].reduce((tokens, i) => {
    const normed = norm(network, `${i}`, tokens, { activation: 'gelu_erf', signal });
    const y = dense(network, `${i + 2}`, normed, { signal });
    // Tokens of many trials are large: what is not read any more goes at once.
    normed.dispose();
    if (tokens !== x) tokens.dispose();
    observe?.(`${i + 2}`, y);
    return y;
  }, x);
}
