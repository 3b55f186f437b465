import { F2iError } from '../../../error.ts';
import { decodeElements, type ElementType, elementBytes, elementCount, type NdArray } from '../../ndarray.ts';
import { pacer } from '../../pause.ts';
import type { Source } from '../../source.ts';
import { isZip } from '../zip.ts';
import { type Checkpoint, readArchive } from './archive.ts';
import { flatten, plainValues } from './flatten.ts';
import type { Refuse } from './globals.ts';
import { isLegacy, readLegacy } from './legacy.ts';
import { LIMITS } from './limits.ts';
import { unpickle } from './unpickle.ts';
import type { Tensor } from './values.ts';

export interface PthEntry {
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  /** Of its elements, one after the other; the storage may be larger. */
  readonly byteLength: number;
}

export interface Pth {
  readonly source: Source;
  /** By name: keys of nested dicts joined by dots, in the order of the file. */
  readonly entries: ReadonlyMap<string, PthEntry>;
  /** Numbers and texts beside the tensors in the outermost dict, such as the epoch. */
  readonly values: ReadonlyMap<string, number | string | boolean>;
  /**
   * Elements [start, end) of a tensor, counted row-major over its shape; only their bytes are read. Of tensors whose
   * elements do not lie in this order, the part of the storage that they span is read at once and kept until another is
   * asked for (at most 1 GiB).
   */
  readElements(name: string, start: number, end: number, signal?: AbortSignal): Promise<NdArray['data']>;
}

/** Largest part of a storage that is read at once. */
const MAXIMUM_SPAN = 2 ** 30;

/**
 * Opens a checkpoint of PyTorch (`.pth`, `.pt`, `.ckpt`, `.bin`). Nothing in it is run: the pickle goes through a machine
 * that can build tensors and plain containers alone. Tensors are read when they are asked for, optimiser state never.
 *
 * @throws FORMAT, naming file and opcode, storage or key; UNSUPPORTED
 */
export async function openPth(source: Source, signal?: AbortSignal): Promise<Pth> {
  const file = source.name;
  const checkpoint = await readCheckpoint(source, signal);
  const tensors = flatten(checkpoint.root, file);
  const entries = new Map<string, PthEntry>();
  for (const [name, { storage, shape }] of tensors) {
    const byteLength = elementCount(shape)! * elementBytes(storage.dtype);
    entries.set(name, { name, dtype: storage.dtype, shape, byteLength });
  }
  let kept: { name: string; data: Promise<NdArray['data']> } | undefined;
  return {
    source,
    entries,
    values: plainValues(checkpoint.root),
    async readElements(name, start, end, readSignal) {
      const tensor = tensors.get(name);
      const count = tensor && elementCount(tensor.shape)!;
      if (!tensor || !(0 <= start && start <= end && end <= count!)) {
        throw new F2iError('INVALID_ARGUMENT', tensor ? 'elements out of bounds' : 'no such tensor', {
          file,
          field: name,
          expected: tensor ? `0 <= start <= end <= ${count}` : undefined,
          found: tensor ? `[${start}, ${end})` : undefined,
        });
      }
      if (isContiguous(tensor)) return readRun(checkpoint, tensor, start, end, file, readSignal);
      if (kept?.name !== name) {
        kept = { name, data: gather(checkpoint, tensor, `${file}/${name}`, readSignal) };
        kept.data.catch(() => {
          kept = undefined;
        });
      }
      return (await kept.data).slice(start, end);
    },
  };
}

/** Whether bytes begin as a pickle of protocol 2 (Python 2.3, 2003) or newer does. */
export function isPickle(start: Uint8Array): boolean {
  return start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5;
}

/** Whether a file begins as those of `torch.save`: a zip archive (npz is one, too), or the older format. */
export async function isPth(source: Source, signal?: AbortSignal): Promise<boolean> {
  const start = await source.read(0, Math.min(64, source.size), signal);
  return isZip(start) || isLegacy(start);
}

/**
 * Whether bytes begin as a checkpoint does and an npz does not: the older format, or an archive whose first file is the
 * pickle, which torch always writes first.
 */
export function isPthStart(start: Uint8Array): boolean {
  if (isLegacy(start)) return true;
  if (!isZip(start) || start.length < 30) return false;
  const name = start.subarray(30, 30 + start[26]! + 256 * start[27]!);
  return /^[^/]+\/data\.pkl$/.test(new TextDecoder().decode(name));
}

async function readCheckpoint(source: Source, signal?: AbortSignal): Promise<Checkpoint> {
  const start = await source.read(0, Math.min(64, source.size), signal);
  if (isZip(start)) return readArchive(source, signal);
  if (isLegacy(start)) return readLegacy(source, signal);
  if (isPickle(start)) return refusePickle(source, signal);
  throw new F2iError('FORMAT', 'not a checkpoint of PyTorch', {
    file: source.name,
    expected: 'a zip archive, or the older format of torch before 1.6',
    found: source.size === 0 ? 'an empty file' : 'other bytes at the start',
  });
}

/**
 * A pickle by itself, of `pickle.dump`: whatever tensors were put into one, they are objects of names that nothing here
 * may use. The restricted machine tells the first of those.
 */
async function refusePickle(source: Source, signal?: AbortSignal): Promise<never> {
  const file = source.name;
  const bytes = await source.read(0, Math.min(LIMITS.bytes, source.size), signal);
  const persistent = (_: unknown, refuse: Refuse) => refuse('a pickle by itself has no storages');
  await unpickle(bytes, { file, persistent, signal });
  throw new F2iError('FORMAT', 'a pickle by itself, without tensors', {
    file,
    expected: 'a file of torch.save',
    found: 'plain values',
  });
}

/** Whether the elements lie one behind another; steps along axes of one element do not matter. */
function isContiguous({ shape, strides }: Tensor): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return shape.includes(0);
    step *= shape[axis]!;
  }
  return true;
}

async function readRun(
  { littleEndian, storage: open }: Checkpoint,
  { storage, offset }: Tensor,
  start: number,
  end: number,
  file: string,
  signal?: AbortSignal,
): Promise<NdArray['data']> {
  const size = elementBytes(storage.dtype);
  const data = await open(storage.key, signal);
  const bytes = await data.read((offset + start) * size, (end - start) * size, signal);
  return decodeElements(bytes, storage.dtype, file, littleEndian);
}

/** All elements of a view that jumps about, in row-major order. */
async function gather(
  checkpoint: Checkpoint,
  tensor: Tensor,
  file: string,
  signal?: AbortSignal,
): Promise<NdArray['data']> {
  const { storage, offset, shape, strides } = tensor;
  const span = shape.reduce((sum, extent, axis) => sum + (extent - 1) * strides[axis]!, 1);
  if (span * elementBytes(storage.dtype) > MAXIMUM_SPAN) {
    throw new F2iError('UNSUPPORTED', 'a tensor this large must lie in order; save it with .contiguous()', {
      file,
      expected: `at most ${MAXIMUM_SPAN} bytes`,
      found: `${span * elementBytes(storage.dtype)}`,
    });
  }
  const whole: Tensor = { storage, offset, shape: [span], strides: [1] };
  const from = await readRun(checkpoint, whole, 0, span, file, signal);
  const breathe = pacer(signal, `reading ${file}`);
  const out = from.slice(0, elementCount(shape)!);
  const inner = shape.at(-1)!;
  const step = strides.at(-1)!;
  const index = new Array<number>(shape.length - 1).fill(0);
  for (let row = 0, base = 0; row < out.length; row += inner) {
    for (let i = 0; i < inner; i++) out[row + i] = from[base + i * step]!;
    for (let axis = index.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      base += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      base -= index[axis]! * strides[axis]!;
      index[axis] = 0;
    }
    await breathe();
  }
  return out;
}
