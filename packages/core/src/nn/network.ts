import type { Backend } from '../backend.ts';
import { F2iError } from '../error.ts';
import type { Tensor } from '../tensor.ts';

/**
 * How a network computes. `f32`: all values f32, products with half-precision weights exact, sums in f32 or better.
 * `autocast-f16`: PyTorch's autocast to float16, emulated (not verified against a run on a GPU): operands and results of
 * linear layers, convolutions and attention are rounded to f16; norms, softmax and sums of residuals stay f32.
 */
export const ARITHMETICS = ['f32', 'autocast-f16'] as const;
export type Arithmetic = (typeof ARITHMETICS)[number];

/**
 * The numbers of a network on a device, by their canonical names (`weights/schemas`). Matrices and kernels of convolutions
 * are f32, f16 or bf16 and come in row shards; vectors and tables are f32 and whole.
 */
export interface Network {
  readonly backend: Backend;
  readonly arithmetic: Arithmetic;
  has(name: string): boolean;
  /** A vector, table or kernel of a convolution. Throws INTERNAL where there is none of that name. */
  tensor(name: string): Tensor;
  /** A matrix of a linear layer: the shards of its rows, as `linear` takes them. */
  matrix(name: string): readonly Tensor[];
  /** The same numbers, by what follows the prefix in their names. */
  under(prefix: string): Network;
}

/** A network that owns its tensors. */
export class ResidentNetwork implements Network {
  readonly backend: Backend;
  readonly arithmetic: Arithmetic;
  readonly #shards: ReadonlyMap<string, readonly Tensor[]>;

  constructor(
    backend: Backend,
    shards: ReadonlyMap<string, readonly Tensor[]>,
    arithmetic: Arithmetic = 'f32',
  ) {
    this.backend = backend;
    this.arithmetic = arithmetic;
    this.#shards = shards;
  }

  has(name: string): boolean {
    return this.#shards.has(name);
  }

  tensor(name: string): Tensor {
    const [tensor, ...more] = this.matrix(name);
    if (tensor && more.length === 0) return tensor;
    throw new F2iError('INTERNAL', 'the tensor lies in shards', { field: name });
  }

  matrix(name: string): readonly Tensor[] {
    const shards = this.#shards.get(name);
    if (shards) return shards;
    throw new F2iError('INTERNAL', 'the network was loaded without this tensor', { field: name });
  }

  under(prefix: string): Network {
    return new Part(this, prefix);
  }

  /** Bytes on the device. */
  get byteLength(): number {
    return [...this.#shards.values()].flat().reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  dispose(): void {
    for (const shard of [...this.#shards.values()].flat()) shard.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

class Part implements Network {
  readonly #whole: Network;
  readonly #prefix: string;

  constructor(whole: Network, prefix: string) {
    this.#whole = whole;
    this.#prefix = prefix;
  }

  get backend(): Backend {
    return this.#whole.backend;
  }

  get arithmetic(): Arithmetic {
    return this.#whole.arithmetic;
  }

  has(name: string): boolean {
    return this.#whole.has(this.#prefix + name);
  }

  tensor(name: string): Tensor {
    return this.#whole.tensor(this.#prefix + name);
  }

  matrix(name: string): readonly Tensor[] {
    return this.#whole.matrix(this.#prefix + name);
  }

  under(prefix: string): Network {
    return new Part(this.#whole, this.#prefix + prefix);
  }
}
