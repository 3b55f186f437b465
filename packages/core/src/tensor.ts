import type { Backend, Storage } from './backend.ts';
import { bytesPerElement, type DType, type HostArray } from './dtype.ts';
import { F2iError } from './error.ts';

export type Shape = readonly number[];

export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Throws INVALID_ARGUMENT unless every extent is a whole number, 0 or more. */
export function checkShape(shape: Shape): void {
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) {
    throw new F2iError('INVALID_ARGUMENT', 'not a shape', {
      expected: 'whole numbers, 0 or more',
      found: `[${shape.join(', ')}]`,
    });
  }
}

export function describe(spec: TensorSpec): string {
  return `${spec.dtype}[${spec.shape.join(', ')}]`;
}

/**
 * A row-major array on a backend, dense but for views of columns. A handle: its values may still be in the queue. Views
 * (`reshape`, `rows`, `columns`) share storage, which is freed, in queue order, when the last handle is disposed.
 */
export class Tensor implements TensorSpec {
  /** Frozen, and a copy of what it was made with: the storage was sized by it. */
  readonly shape: Shape;
  readonly dtype: DType;
  readonly backend: Backend;
  /** First element inside the storage, in elements. */
  readonly offset: number;
  /** Elements from a row to the next one, in a view of columns; undefined for what is dense. */
  readonly rowStride: number | undefined;
  readonly #storage: Storage;
  #disposed = false;

  /** Not for users: tensors come from `backend.tensor(...)` and from ops. */
  constructor(
    backend: Backend,
    storage: Storage,
    spec: TensorSpec,
    offset = 0,
    rowStride?: number | undefined,
  ) {
    this.backend = backend;
    this.#storage = storage;
    this.shape = Object.freeze([...spec.shape]);
    this.dtype = spec.dtype;
    this.offset = offset;
    this.rowStride = rowStride;
    storage.references++;
    backend.track(this);
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  get byteLength(): number {
    return this.size * bytesPerElement(this.dtype);
  }

  /** All extents but the last, multiplied: the number of rows when seen as a matrix. A vector is one row. */
  get rowCount(): number {
    return this.shape.length < 2 ? 1 : sizeOf(this.shape.slice(0, -1));
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** The storage, for backends. Throws DISPOSED after `dispose()`. */
  get storage(): Storage {
    if (this.#disposed) {
      throw new F2iError('DISPOSED', `tensor ${describe(this)} was used after dispose()`);
    }
    return this.#storage;
  }

  /**
   * Same elements, other extents: a view, but of a view of columns a dense copy, for rows that do not lie next to each other
   * have no other extents where they are.
   *
   * @throws F2iError INVALID_ARGUMENT for extents of more or fewer elements
   */
  reshape(...shape: number[]): Tensor {
    checkShape(shape);
    if (sizeOf(shape) !== this.size) {
      throw new F2iError('INVALID_ARGUMENT', 'reshape must keep the number of elements', {
        expected: `${this.size} elements (${describe(this)})`,
        found: `[${shape.join(', ')}]`,
      });
    }
    if (this.rowStride !== undefined) {
      const copy = this.backend.dense(this);
      try {
        return copy.reshape(...shape);
      } finally {
        copy.dispose();
      }
    }
    return new Tensor(this.backend, this.storage, { shape, dtype: this.dtype }, this.offset);
  }

  /** View of the entries [start, end) of the first axis. */
  rows(start: number, end: number): Tensor {
    const [first = 1, ...rest] = this.shape;
    if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= first)) {
      throw new F2iError('INVALID_ARGUMENT', 'row range out of bounds', {
        expected: `0 <= start <= end <= ${first}`,
        found: `[${start}, ${end})`,
      });
    }
    const spec = { shape: [end - start, ...rest], dtype: this.dtype };
    const from = this.offset + start * (this.rowStride ?? sizeOf(rest));
    return new Tensor(this.backend, this.storage, spec, from, this.rowStride);
  }

  /**
   * The columns [start, end) of a matrix, as a handle of its own: it may be used after this one is disposed. A view where the
   * device can read them where they lie, which keeps the memory of the whole matrix, and a copy elsewhere. What takes dense
   * operands (some ops, `reshape`, graphs) copies a view itself: the values are the same on every device.
   *
   * Vectors and tensors of three axes or more have no columns: `slice(x, axis, start, end)` takes those.
   *
   * @throws F2iError INVALID_ARGUMENT unless this is a matrix and 0 <= start <= end <= its columns; DISPOSED
   */
  columns(start: number, end: number): Tensor {
    return this.backend.columns(this, start, end);
  }

  /**
   * Waits for the values. Rejects with the error of the op that failed to produce them, naming the place that
   * enqueued it.
   *
   * @param reuse an array that is no longer needed. A device may put the values into its memory, if they are as many bytes:
   *   a program that downloads again and again spares the page faults of new arrays. It must not be used afterwards
   */
  download(reuse?: HostArray | undefined): Promise<HostArray> {
    return this.backend.download(this, reuse);
  }

  /** Frees the handle; queued work that uses it still runs. Calling it twice is fine. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.backend.untrack(this);
    if (--this.#storage.references === 0) this.backend.release(this.#storage);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return `Tensor ${describe(this)} on ${this.backend.name}`;
  }
}
