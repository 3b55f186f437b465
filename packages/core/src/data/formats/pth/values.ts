import type { ElementType } from '../../ndarray.ts';

/**
 * All that an unpickler here can build: plain values, containers, and descriptions of tensors. Classes of Python are
 * never made, functions never called.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyList
  | PyTuple
  | PyDict
  | PySet
  | PyGlobal
  | Forgotten
  | NumpyDtype
  | NumpyArray
  | Storage
  | Tensor;

export class PyList {
  readonly items: PickleValue[] = [];
}

export class PyTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/**
 * A dict, OrderedDict, defaultdict or Counter. A Map, so that no key means anything to JavaScript. Optimisers key their
 * state by parameters.
 */
export class PyDict {
  readonly entries = new Map<string | number | bigint | Tensor, PickleValue>();
}

/** A set; its members are kept in their order and not compared. */
export class PySet {
  constructor(readonly items: PickleValue[]) {}
}

/** An allowed name: of a storage's class, of an element type, or of a function that builds one of these values. */
export class PyGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}

  toString(): string {
    return `${this.module}.${this.name}`;
  }
}

/** Stands for an optimiser or its schedule, which old schedules drag along. No such object exists; its state is dropped. */
export class Forgotten {
  constructor(readonly type: string) {}
}

/** numpy's element type; only what reading scalars needs. */
export class NumpyDtype {
  constructor(readonly code: string) {}
}

/** An array of numpy inside the pickle; kept as it is, not read. */
export class NumpyArray {
  shape: readonly number[] = [];
}

/** A run of elements that tensors are views of: in a file of the archive, or behind the pickles of an old file. */
export interface StorageClaim {
  /** Name of the storage in the file. */
  readonly key: string;
  readonly dtype: ElementType;
  /** Elements. */
  readonly length: number;
}

export class Storage implements StorageClaim {
  constructor(
    readonly key: string,
    readonly dtype: ElementType,
    readonly length: number,
  ) {}
}

/** A view of a storage; nothing of it has been read. */
export class Tensor {
  constructor(
    readonly storage: Storage,
    /** First element, counted in the storage. */
    readonly offset: number,
    readonly shape: readonly number[],
    /** Steps in elements, by axis. */
    readonly strides: readonly number[],
  ) {}
}

/** What a value is, for errors. */
export function kindOf(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (value instanceof PyList) return `a list of ${value.items.length}`;
  if (value instanceof PyTuple) return `a tuple of ${value.items.length}`;
  if (value instanceof PyDict) return `a dict of ${value.entries.size}`;
  if (value instanceof PySet) return `a set of ${value.items.length}`;
  if (value instanceof PyGlobal) return `${value}`;
  if (value instanceof Forgotten) return value.type;
  if (value instanceof NumpyDtype || value instanceof NumpyArray) return 'a numpy object';
  if (value instanceof Storage) return 'a storage';
  if (value instanceof Tensor) return `a tensor [${value.shape.join(', ')}]`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === 'string') return quoted(value);
  return `the ${typeof value === 'boolean' ? 'boolean' : 'number'} ${value}`;
}

/** Text of a file, short enough to be shown. */
export function quoted(text: string): string {
  const shown = JSON.stringify(text);
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown;
}
