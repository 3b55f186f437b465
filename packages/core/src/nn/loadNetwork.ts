import type { Backend } from '../backend.ts';
import { elementBytes, elementCount, hostIsLittleEndian } from '../data/ndarray.ts';
import type { LoadProgress } from '../decoders/loaded.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import type { Tensor } from '../tensor.ts';
import { isRounded } from '../weights/convert.ts';
import type { MatchedWeight, MatchedWeights } from '../weights/match.ts';
import { roundElements, type WeightType } from '../weights/round.ts';
import type { WeightPlace, WeightSource } from '../weights/source.ts';
import { type Arithmetic, ResidentNetwork } from './network.ts';

/** What of a model goes to the device, and in which type. */
export interface NetworkChoice {
  /** By canonical name; all when absent. */
  wanted?: ((name: string) => boolean) | undefined;
  /** Type of matrices and of kernels of convolutions; as they are stored when absent (f64 as f32). */
  precision?: WeightType | undefined;
}

export interface LoadNetworkOptions extends NetworkChoice {
  arithmetic?: Arithmetic | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** Bytes that are read at once. */
const PIECE_BYTES = 8 * 2 ** 20;
/** Matrices are given to `linear` in so many pieces at most. */
const MOST_SHARDS = 32;
/** Shards where the device sets no limit, and where it does: WebGPU guarantees bindings of 128 MiB. */
const SHARD_BYTES = 2 ** 30;
const BINDING_BYTES = 128 * 2 ** 20;
/** Smaller tensors are copied: a mapping takes whole pages. */
const MAPPED_BYTES = 2 ** 20;

/**
 * Puts tensors of a model on a device. Numbers go there by ranges, a shard at a time; where the device can map files and
 * the type stays as it is stored, large matrices are mapped from disk once their checksums hold, and never copied.
 *
 * @throws FORMAT for a damaged file, or a weight that the type cannot hold, naming it; OUT_OF_MEMORY for a matrix that
 *   does not fit into the device's buffers; CANCELLED. Nothing stays on the device then.
 */
export async function loadNetwork(
  source: WeightSource,
  matched: MatchedWeights,
  backend: Backend,
  options: LoadNetworkOptions = {},
): Promise<ResidentNetwork> {
  const { signal, onProgress, arithmetic } = options;
  const chosen = chosenWeights(matched, options);
  const total = chosen.reduce((sum, { weight }) => sum + weight.stored.byteLength, 0);
  const progress = { read: 0, verify: 0, upload: 0 };
  const advance = (phase: LoadProgress['phase'], bytes: number) => {
    progress[phase] += bytes;
    onProgress?.({ phase, done: progress[phase], total });
  };
  const shards = new Map<string, Tensor[]>();
  try {
    for (const one of chosen) {
      const tensors: Tensor[] = [];
      shards.set(one.weight.name, tensors);
      const loading = new WeightLoading(source, backend, one, signal, (bytes) => {
        advance('read', bytes);
        advance('verify', bytes);
      });
      for await (const tensor of loading.shards()) {
        tensors.push(tensor);
        advance('upload', (tensor.size / elementsOf(one.weight)) * one.weight.stored.byteLength);
      }
    }
    throwIfAborted(signal, `loading ${source.name}`);
    return new ResidentNetwork(backend, shards, arithmetic);
  } catch (error) {
    for (const tensor of [...shards.values()].flat()) tensor.dispose();
    throw error;
  }
}

/** Bytes that the chosen tensors take on a device. */
export function networkBytes(matched: MatchedWeights, choice: NetworkChoice = {}): number {
  return chosenWeights(matched, choice).reduce(
    (sum, { weight, dtype }) => sum + elementsOf(weight) * elementBytes(dtype),
    0,
  );
}

/** A tensor, and its type on the device. */
interface ChosenWeight {
  readonly weight: MatchedWeight;
  readonly dtype: WeightType;
}

function chosenWeights({ weights }: MatchedWeights, { wanted, precision }: NetworkChoice): ChosenWeight[] {
  return [...weights.values()]
    .filter(({ name }) => wanted?.(name) ?? true)
    .map((weight) => ({ weight, dtype: isRounded(weight) ? (precision ?? storedType(weight)) : 'f32' }));
}

function storedType({ stored: { dtype } }: MatchedWeight): WeightType {
  return dtype === 'f16' || dtype === 'bf16' ? dtype : 'f32';
}

const elementsOf = ({ stored }: MatchedWeight): number => elementCount(stored.shape)!;

/** One tensor on its way to the device. */
class WeightLoading {
  readonly #source: WeightSource;
  readonly #backend: Backend;
  readonly #weight: MatchedWeight;
  readonly #dtype: WeightType;
  readonly #signal: AbortSignal | undefined;
  readonly #arrived: (bytes: number) => void;

  constructor(
    source: WeightSource,
    backend: Backend,
    { weight, dtype }: ChosenWeight,
    signal: AbortSignal | undefined,
    arrived: (bytes: number) => void,
  ) {
    this.#source = source;
    this.#backend = backend;
    this.#weight = weight;
    this.#dtype = dtype;
    this.#signal = signal;
    this.#arrived = arrived;
  }

  /** Its rows on the device, in order. */
  shards(): AsyncGenerator<Tensor> {
    const places = this.#places();
    return places ? this.#mapped(places) : this.#copied();
  }

  /** Where the tensor can be mapped from. */
  #places(): readonly WeightPlace[] | undefined {
    const { stored } = this.#weight;
    const usable = hostIsLittleEndian && stored.dtype === this.#dtype && stored.shape.length > 1;
    if (!usable || !this.#backend.mapFile || stored.byteLength < MAPPED_BYTES) return undefined;
    const places = this.#source.locate?.(stored.name);
    // A kernel of a convolution must be whole.
    if (stored.shape.length > 2 && places?.length !== 1) return undefined;
    const size = elementBytes(stored.dtype);
    const aligned = places?.every(({ offset, rows }) => offset % size === 0 && rows > 0);
    return aligned ? places : undefined;
  }

  async *#mapped(places: readonly WeightPlace[]): AsyncGenerator<Tensor> {
    for (const place of places) {
      throwIfAborted(this.#signal, `loading ${this.#source.name}`);
      await this.#source.verify?.(place, this.#signal);
      this.#arrived(place.byteLength);
      const shape = [place.rows, ...this.#weight.stored.shape.slice(1)];
      yield this.#backend.mapFile!(place.path, place.offset, shape, this.#dtype);
    }
  }

  async *#copied(): AsyncGenerator<Tensor> {
    const { shape } = this.#weight.stored;
    const [rows = 1, ...rest] = shape;
    const rowSize = elementCount(rest)!;
    const most = shape.length === 2 ? this.#rowsAtOnce(rows, rowSize) : rows;
    for (let start = 0; start === 0 || start < rows; start += most) {
      const end = Math.min(rows, start + most);
      const bytes = (end - start) * rowSize * elementBytes(this.#dtype);
      await this.#backend.ready(bytes);
      const buffer = await this.#read(start * rowSize, end * rowSize);
      throwIfAborted(this.#signal, `loading ${this.#source.name}`);
      yield this.#backend.adopt(buffer, shape.length === 0 ? [] : [end - start, ...rest], this.#dtype);
    }
  }

  #rowsAtOnce(rows: number, rowSize: number): number {
    const rowBytes = Math.max(1, rowSize * elementBytes(this.#dtype));
    const { maxBufferBytes } = this.#backend.info;
    const least = Math.ceil(rows / MOST_SHARDS);
    const usual = maxBufferBytes === undefined ? SHARD_BYTES : Math.min(maxBufferBytes, BINDING_BYTES);
    const most = Math.max(least, Math.floor(usual / rowBytes), 1);
    if (most * rowBytes <= (maxBufferBytes ?? Number.POSITIVE_INFINITY)) return most;
    throw new F2iError('OUT_OF_MEMORY', 'a matrix does not fit into the buffers of the device', {
      file: this.#source.name,
      field: this.#weight.stored.name,
      expected: `at most ${maxBufferBytes} bytes in each of ${MOST_SHARDS} buffers`,
      found: `${rows * rowBytes} bytes`,
    });
  }

  /** Elements [first, last) in the type of the device. */
  async #read(first: number, last: number): Promise<ArrayBuffer> {
    const { name, dtype } = this.#weight.stored;
    const place = { file: this.#source.name, field: name };
    const array = allocateFor(this.#dtype, last - first, place);
    const step = PIECE_BYTES / elementBytes(dtype);
    for (let at = first; at < last; at += step) {
      const end = Math.min(last, at + step);
      const piece = await this.#source.readElements(name, at, end, this.#signal);
      array.set(roundElements(piece, dtype, this.#dtype, { ...place, first: at }), at - first);
      this.#arrived((end - at) * elementBytes(dtype));
    }
    return array.buffer;
  }
}

function allocateFor(dtype: WeightType, length: number, place: { file: string; field: string }) {
  try {
    return dtype === 'f32' ? new Float32Array(length) : new Uint16Array(length);
  } catch (cause) {
    throw new F2iError('OUT_OF_MEMORY', `no room for ${length * elementBytes(dtype)} bytes of weights`, {
      ...place,
      cause,
    });
  }
}
