import { add, permute } from '../ops/index.ts';
import { activate } from '../reference/activation.ts';
import type { Tensor } from '../tensor.ts';
import { dense, norm } from './layers.ts';
import type { Network } from './network.ts';
import type { ForwardOptions } from './observe.ts';

/**
 * The mixer of MindEye2 (Scotti et al. 2024; after MLP-Mixer, arXiv:2105.01601): blocks over hidden units and over
 * positions take turns, each kind with a running residual of its own.
 *
 * @param network holds `mixer_blocks1.*` and `mixer_blocks2.*`
 * @param x [n, positions, h]
 * @returns [n, positions, h]
 */
export function mixer(network: Network, x: Tensor, options: ForwardOptions = {}): Tensor {
  const { observe, signal } = options;
  const swap = (t: Tensor) => permute(t, [0, 2, 1], { signal });
  let [y, overUnits, overPositions] = [x, x, swap(x)];
  for (let i = 0; network.has(`mixer_blocks1.${i}.0.weight`); i++) {
    const first = block(network, `mixer_blocks1.${i}`, y, options);
    observe?.(`mixer_blocks1.${i}`, first);
    overUnits = add(first, overUnits, { signal });
    const second = block(network, `mixer_blocks2.${i}`, swap(overUnits), options);
    observe?.(`mixer_blocks2.${i}`, second);
    overPositions = add(second, overPositions, { signal });
    y = swap(overPositions);
  }
  return y;
}

/** Layer norm, linear layer, GELU, linear layer, over the last axis. */
function block(network: Network, name: string, x: Tensor, { signal }: ForwardOptions): Tensor {
  const inner = dense(network, `${name}.1.0`, norm(network, `${name}.0`, x, { signal }), {
    activation: 'gelu_erf',
    signal,
  });
  return dense(network, `${name}.1.3`, inner, { signal });
}

/**
 * What the mixer adds where there is one position. A layer norm over one value gives its offset whatever the value, so
 * each block over positions is a constant; and it is added to the residual over positions, which begins as the mixer's
 * own input. The blocks over hidden units never reach the output: their weights need not be loaded.
 *
 * @param read the one number of a tensor
 * @returns what each block over positions adds, in float64; their sum is the mixer
 */
export async function mixerConstants(
  blocks: number,
  read: (name: string) => Promise<number>,
): Promise<number[]> {
  const constants: number[] = [];
  for (let i = 0; i < blocks; i++) {
    // One after the other: they are neighbours in the file, and what is read first is kept for the next.
    const of = (name: string) => read(`mixer_blocks2.${i}.${name}`);
    const inner = (await of('1.0.weight')) * (await of('0.bias')) + (await of('1.0.bias'));
    constants.push((await of('1.3.weight')) * activate('gelu_erf', inner) + (await of('1.3.bias')));
  }
  return constants;
}
