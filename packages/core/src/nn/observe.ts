import type { OpOptions } from '../ops/index.ts';
import type { Tensor } from '../tensor.ts';

/** Told of intermediate results by the names of the original's modules, as they are enqueued. */
export type Observe = (name: string, value: Tensor) => void;

export interface ForwardOptions extends OpOptions {
  observe?: Observe | undefined;
}

/** Options for a part of a network: what it names, the whole names with a prefix. */
export function within(prefix: string, { observe, ...options }: ForwardOptions): ForwardOptions {
  return observe ? { ...options, observe: (name, value) => observe(prefix + name, value) } : options;
}
