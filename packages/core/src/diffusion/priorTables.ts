import { F2iError } from '../error.ts';
import type { Network } from '../nn/network.ts';
import { relativePositionBuckets, rotaryTables } from '../nn/tables.ts';
import { relativePositionBias } from '../ops/relative_position_bias.ts';
import type { Tensor } from '../tensor.ts';

/** What all evaluations share. n is the number of all tokens of an item: the brain's, one of time, the image's. */
export interface PriorTables {
  /** [n, rotary / 2] */
  readonly cos: Tensor;
  readonly sin: Tensor;
  /** [heads, n, n + 1]; only where there is a layer but the last. */
  readonly bias: Tensor | undefined;
  /** Of the queries of image tokens: [heads, tokens, n + 1]. */
  readonly tailBias: Tensor;
}

const BIAS_TABLE = 'causal_transformer.rel_pos_bias.relative_attention_bias.weight';
/** Stem of a layer's names in the network. */
export const layerName = (layer: number) => `causal_transformer.layers.${layer}`;

/** Sizes, read off the weights. */
export function priorSizes(network: Network) {
  const [tokens = 0, dim = 0] = network.tensor('learned_query').shape;
  const [, heads = 0] = network.tensor(BIAS_TABLE).shape;
  const [, headDim = 0] = network.tensor(`${layerName(0)}.0.null_kv`).shape;
  return { tokens, dim, depth: depthOf(network), heads, headDim };
}

/** The frequencies are those of the checkpoint: 16 in the published ones. */
export function priorTables(network: Network, frequencies: Float32Array): PriorTables {
  const { tokens, depth } = priorSizes(network);
  const count = 2 * tokens + 1;
  const turns = rotaryTables(count, frequencies);
  const [cos, sin] = [turns.cos, turns.sin].map((table) =>
    network.backend.tensor(Float32Array.from(table), [count, frequencies.length]),
  );
  const table = network.tensor(BIAS_TABLE);
  const bias = (firstQuery: number) => {
    const options = { firstQuery, buckets: table.shape[0]! };
    return relativePositionBias(table, relativePositionBuckets(count - firstQuery, count + 1, options));
  };
  return { cos: cos!, sin: sin!, bias: depth > 1 ? bias(0) : undefined, tailBias: bias(count - tokens) };
}

function depthOf(network: Network): number {
  let depth = 0;
  while (network.has(`${layerName(depth)}.0.norm.g`)) depth++;
  return depth;
}

/** The frequencies of the checkpoint. One module serves all layers; a checkpoint lists it once for each. */
export async function rotaryFrequenciesOf(network: Network): Promise<Float32Array> {
  const name = (layer: number) => `${layerName(layer)}.0.rotary_emb.freqs`;
  const layers = Array.from({ length: depthOf(network) }, (_, layer) => layer);
  const lists = await Promise.all(layers.map((layer) => network.tensor(name(layer)).download()));
  const [first, ...others] = lists as Float32Array[];
  const odd = others.findIndex((list) => list.join() !== first!.join());
  if (odd < 0) return first!;
  throw new F2iError('FORMAT', 'layers disagree on their rotary frequencies', {
    field: name(odd + 1),
    expected: `those of ${name(0)}`,
    found: 'others',
  });
}
