import type { Backend } from '../backend.ts';
import { F2iError } from '../error.ts';
import { dense, throughHalf } from '../nn/layers.ts';
import type { Network } from '../nn/network.ts';
import type { ForwardOptions } from '../nn/observe.ts';
import { timestepEmbedding } from '../nn/tables.ts';
import { attention } from '../ops/attention.ts';
import { concat } from '../ops/concat.ts';
import { add } from '../ops/elementwise.ts';
import { swiglu } from '../ops/gated_activation.ts';
import { gather } from '../ops/gather.ts';
import { layerNorm } from '../ops/layer_norm.ts';
import type { OpOptions } from '../ops/op.ts';
import { rotary } from '../ops/rotary.ts';
import { slice } from '../ops/slice.ts';
import type { Tensor } from '../tensor.ts';
import { layerName, type PriorTables, priorSizes, priorTables, rotaryFrequenciesOf } from './priorTables.ts';

/** Factor of the cosines between queries and keys. */
const COSINE_SCALE = 16;
/** What the layer norms of DALLE2-pytorch add to a variance: by the type of their input. */
const EPS = 1e-5;
const HALF_EPS = 1e-3;

export interface PriorOptions {
  /** Tokens see only those before them; not so in the published models. */
  readonly causal?: boolean;
}

/** What of an evaluation depends on the brain's tokens alone, on the device: the same at every timestep. */
export interface PriorCondition extends Disposable {
  /** [b, tokens, dim] */
  readonly brain: Tensor;
  /** Of the first layer, rotated; no queries where the first layer is the last. */
  readonly queries: Tensor | undefined;
  /** [b, tokens, headDim], rotated. */
  readonly keys: Tensor;
  readonly values: Tensor;
}

/**
 * Transformer of the diffusion prior of MindEye1 and MindEye2 (Scotti et al. 2023, arXiv 2305.18274, and 2024, arXiv
 * 2403.11207), made of parts of DALLE2-pytorch: it predicts the clean image tokens from the brain's tokens, a token of time
 * and noisy image tokens. Attention by cosines, keys and values shared by all heads, a null key, rotary positions and T5's
 * one-directional bias; SwiGLU. Only what the last tokens need is computed in the last layer.
 */
export class Prior implements Disposable {
  readonly tokens: number;
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  readonly headDim: number;
  readonly #network: Network;
  readonly #causal: boolean;
  readonly #tables: PriorTables;

  private constructor(network: Network, { causal = false }: PriorOptions, tables: PriorTables) {
    this.#network = network;
    this.#causal = causal;
    const { tokens, dim, depth, heads, headDim } = priorSizes(network);
    this.tokens = tokens;
    this.dim = dim;
    this.depth = depth;
    this.heads = heads;
    this.headDim = headDim;
    this.#tables = tables;
  }

  /**
   * Makes the tables that all evaluations share.
   *
   * @param network the tensors of `mindeyePrior`, which stay the caller's; sizes are read off them
   * @throws FORMAT if layers disagree on their rotary frequencies
   */
  static async open(network: Network, options: PriorOptions = {}): Promise<Prior> {
    const frequencies = await rotaryFrequenciesOf(network);
    return new Prior(
      network,
      options,
      network.backend.scope(() => priorTables(network, frequencies)),
    );
  }

  get backend(): Backend {
    return this.#network.backend;
  }

  /**
   * Tokens of time: sinusoids, then three linear layers.
   *
   * @returns [timesteps, dim]
   */
  embedTime(timesteps: readonly number[], options: OpOptions = {}): Tensor {
    const table = timestepEmbedding(timesteps, { dim: this.dim, order: 'sin-cos' });
    return this.backend.scope(() => {
      const layers = this.#network.under('to_time_embeds.0.1.net.');
      let x = this.backend.tensor(Float32Array.from(table), [timesteps.length, this.dim]);
      x = dense(layers, '0.0', x, { activation: 'silu', ...options });
      x = dense(layers, '1.0', x, { activation: 'silu', ...options });
      return dense(layers, '2', x, options);
    });
  }

  /** What the model was trained to take for brain tokens that are left out: [b, tokens, dim]. */
  nullBrain(batch: number): Tensor {
    return this.#repeated('null_brain_embeds', batch);
  }

  /** The same for image tokens. */
  nullImage(batch: number): Tensor {
    return this.#repeated('null_image_embed', batch);
  }

  #repeated(name: string, batch: number): Tensor {
    return this.backend.scope(() =>
      repeatItems(this.#network.tensor(name), [1, this.tokens, this.dim], batch),
    );
  }

  /**
   * Prepares brain tokens for any number of evaluations. The result holds no more than it needs of them: they may be
   * disposed.
   *
   * @param brain [b, tokens, dim]
   */
  condition(brain: Tensor, options: OpOptions = {}): PriorCondition {
    const { tokens, dim } = this;
    checkTokens('brain', brain, tokens, dim);
    const { queries, keys, values, own } = this.backend.scope(() => {
      const normed = this.#gain(`${layerName(0)}.0.norm`, brain, options);
      return {
        queries: this.depth > 1 ? this.#queries(0, normed, 0, options) : undefined,
        ...this.#keysAndValues(0, normed, 0, options),
        own: brain.reshape(...brain.shape),
      };
    });
    const dispose = () => {
      for (const tensor of [queries, keys, values, own]) tensor?.dispose();
    };
    return { brain: own, queries, keys, values, [Symbol.dispose]: dispose };
  }

  /**
   * One evaluation: the clean image tokens that noisy ones stand for.
   *
   * @param condition of the brain's tokens
   * @param image [b, tokens, dim], noisy
   * @param time [1, dim] for all items, or [b, dim], from {@link embedTime}
   * @returns [b, tokens, dim]
   */
  predict(condition: PriorCondition, image: Tensor, time: Tensor, options: ForwardOptions = {}): Tensor {
    const { tokens, dim, depth } = this;
    checkTokens('image', image, tokens, dim);
    const batch = image.shape[0]!;
    return this.backend.scope(() => {
      let x = this.backend.scope(() => {
        const placed = add(image.reshape(batch, tokens * dim), this.#queryOfImages(), options);
        const times = repeatItems(time, [time.shape[0]!, 1, dim], batch, options);
        options.observe?.('time_embed', times);
        return concat([times, placed.reshape(batch, tokens, dim)], 1, options);
      });
      for (let layer = 0; layer < depth; layer++) {
        const [before, isLast] = [x, layer === depth - 1];
        const branch = this.backend.scope(() =>
          layer === 0
            ? this.#firstAttention(condition, before, isLast, options)
            : this.#attention(layer, before, isLast, options),
        );
        before.dispose();
        x = this.backend.scope(() => this.#feedForward(layer, branch, options));
        branch.dispose();
      }
      options.observe?.('before_final_norm', x);
      const transformer = this.#network.under('causal_transformer.');
      const last = layerNorm(x, {
        gain: transformer.tensor('norm.g'),
        eps: EPS,
        stable: true,
        signal: options.signal,
      });
      options.observe?.('after_final_norm', last);
      return dense(transformer, 'project_out', last, options);
    });
  }

  /** Frees the tables; the network stays. */
  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.#tables)) tensor?.dispose();
  }

  dispose(): void {
    this[Symbol.dispose]();
  }

  #queryOfImages(): Tensor {
    return this.#network.tensor('learned_query').reshape(1, this.tokens * this.dim);
  }

  /** The first layer's attention: the brain's tokens have been through its norm and its linear layers. */
  #firstAttention(
    { brain, queries, keys, values }: PriorCondition,
    rest: Tensor,
    isLast: boolean,
    options: ForwardOptions,
  ): Tensor {
    const { tokens } = this;
    const normed = this.#gain(`${layerName(0)}.0.norm`, rest, options);
    const own = this.#keysAndValues(0, normed, tokens, options);
    const k = concat([keys, own.keys], 1, options);
    const v = concat([values, own.values], 1, options);
    if (isLast || !queries) {
      const q = this.#queries(0, lastTokens(normed, tokens, options), tokens + 1, options);
      return this.#attend(0, q, k, v, lastTokens(rest, tokens, options), options);
    }
    const x = concat([brain, rest], 1, options);
    options.observe?.('tokens_in', x);
    const q = concat([queries, this.#queries(0, normed, tokens, options)], 1, options);
    return this.#attend(0, q, k, v, x, options);
  }

  /** x plus what its tokens, in the last layer the last of them, read from all. */
  #attention(layer: number, x: Tensor, isLast: boolean, options: ForwardOptions): Tensor {
    const normed = this.#gain(`${layerName(layer)}.0.norm`, x, options);
    const { keys, values } = this.#keysAndValues(layer, normed, 0, options);
    const asking = (all: Tensor) => (isLast ? lastTokens(all, this.tokens, options) : all);
    const q = this.#queries(layer, asking(normed), isLast ? this.tokens + 1 : 0, options);
    return this.#attend(layer, q, keys, values, asking(x), options);
  }

  /** @returns [b, n, heads, headDim], rotated from position `first` on */
  #queries(layer: number, normed: Tensor, first: number, options: OpOptions): Tensor {
    return this.backend.scope(() => {
      const [batch, n] = normed.shape as [number, number];
      const q = dense(this.#network, `${layerName(layer)}.0.to_q`, normed, options);
      const heads = q.reshape(batch, n, this.heads, this.headDim);
      return this.#half(rotary(heads, ...this.#turns(first, n), { headsInside: true, ...options }), options);
    });
  }

  /** @returns both [b, n, headDim], keys rotated from position `first` on */
  #keysAndValues(layer: number, normed: Tensor, first: number, options: OpOptions) {
    return this.backend.scope(() => {
      const d = this.headDim;
      const both = dense(this.#network, `${layerName(layer)}.0.to_kv`, normed, options);
      const k = slice(both, 2, 0, d, options);
      return {
        keys: this.#half(rotary(k, ...this.#turns(first, normed.shape[1]!), options), options),
        values: slice(both, 2, d, 2 * d, options),
      };
    });
  }

  #turns(first: number, count: number): [cos: Tensor, sin: Tensor] {
    const { cos, sin } = this.#tables;
    return [cos.rows(first, first + count), sin.rows(first, first + count)];
  }

  #attend(layer: number, q: Tensor, k: Tensor, v: Tensor, residual: Tensor, options: ForwardOptions): Tensor {
    const [batch, n] = q.shape as [number, number];
    const name = `${layerName(layer)}.0`;
    const nulls = this.#half(this.#network.tensor(`${name}.null_kv`), options);
    const [nullKey, nullValue] = [0, 1].map((row) => nulls.rows(row, row + 1).reshape(this.headDim));
    const y = attention(q, k, v, {
      layout: 'bnhd',
      cosine: true,
      scale: COSINE_SCALE,
      nullKey,
      nullValue,
      bias: n === this.tokens ? this.#tables.tailBias : this.#tables.bias,
      causal: this.#causal,
      ...options,
    });
    const heads = this.#half(y, options).reshape(batch, n, this.heads * this.headDim);
    options.observe?.(`layer${layer}.attn_heads_concat`, heads);
    const out = dense(this.#network, `${name}.to_out.0`, heads, options);
    // The one norm whose input is half-precision under autocast.
    const eps = this.#network.arithmetic === 'autocast-f16' ? HALF_EPS : EPS;
    const branch = this.#gain(`${name}.to_out.1`, out, options, eps);
    options.observe?.(`layer${layer}.attn_branch`, branch);
    const sum = add(branch, residual, options);
    options.observe?.(`after_layer${layer}_attn`, sum);
    return sum;
  }

  #feedForward(layer: number, x: Tensor, options: ForwardOptions): Tensor {
    const part = this.#network.under(`${layerName(layer)}.1.`);
    const gated = this.backend.scope(() =>
      swiglu(dense(part, '1', this.#gain(`${layerName(layer)}.1.0`, x, options), options), options),
    );
    const y = dense(part, '5', gated, { residual: x, ...options });
    options.observe?.(`after_layer${layer}_ff`, y);
    return y;
  }

  /** Layer norm with a gain alone. */
  #gain(name: string, x: Tensor, { signal }: OpOptions, eps = EPS): Tensor {
    return layerNorm(x, { gain: this.#network.tensor(`${name}.g`), eps, signal });
  }

  /** Operands and results of attention, as float16 holds them where that is emulated. */
  #half(x: Tensor, options: OpOptions): Tensor {
    return this.#network.arithmetic === 'autocast-f16' ? throughHalf(x, options) : x;
  }
}

/** Stems of the ops that an evaluation and a sampler run. */
export const PRIOR_OPS = [
  'linear',
  'layer_norm',
  'attention',
  'rotary',
  'relative_position_bias',
  'gated_activation',
  'elementwise',
  'concat',
  'slice',
  'gather',
  'random_normal',
] as const;

/** Panels of the weights that a product copies, in numbers. */
const PANELS = 2 ** 18;

/**
 * Numbers that sampling one item takes beside the weights, from above: biases of all pairs of tokens, the widest layer and
 * what a product copies of its operands, some copies of the tokens. A graph holds an evaluation's intermediate tensors
 * throughout.
 *
 * @param extents of a model with a prior (`clip`, `tokens`, `heads`, `inner`)
 */
export function priorActivations(extents: ReadonlyMap<string, number>): number {
  const of = (symbol: string) => extents.get(symbol) ?? 0;
  const [tokens, dim] = [of('tokens'), of('clip')];
  const all = 2 * tokens + 1;
  const layer = all * (4 * of('inner') + 12 * dim);
  return 2 * of('heads') * all * (all + 1) + layer + PANELS + 8 * tokens * dim;
}

/** Each item of x, taken as of `shape`, as often as fits: [batch, ...]. */
export function repeatItems(
  x: Tensor,
  shape: readonly [items: number, ...rest: number[]],
  batch: number,
  options: OpOptions = {},
): Tensor {
  const [items, ...rest] = shape;
  if (items === batch) return x.reshape(...shape);
  const times = batch / items;
  const rows = Int32Array.from({ length: batch }, (_, i) => Math.floor(i / times));
  const flat = x.reshape(
    items,
    rest.reduce((product, extent) => product * extent, 1),
  );
  return gather(flat, { rows, ...options }).reshape(batch, ...rest);
}

/** The last `count` tokens: [b, n, d] to [b, count, d], without a copy where there is one item. */
function lastTokens(x: Tensor, count: number, options: OpOptions): Tensor {
  const [batch, n, d] = x.shape as [number, number, number];
  if (batch > 1) return slice(x, 1, n - count, n, options);
  return x
    .reshape(n, d)
    .rows(n - count, n)
    .reshape(1, count, d);
}

function checkTokens(field: string, x: Tensor, tokens: number, dim: number): void {
  if (x.shape.length === 3 && x.shape[1] === tokens && x.shape[2] === dim) return;
  throw new F2iError('INVALID_ARGUMENT', 'not tokens of this prior', {
    field,
    expected: `[items, ${tokens}, ${dim}]`,
    found: `[${x.shape.join(', ')}]`,
  });
}
