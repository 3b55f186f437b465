import { F2iError } from '../../error.ts';
import {
  type ElementArray,
  type ElementType,
  elementBytes,
  elementCount,
  encodeElements,
} from '../ndarray.ts';

/** A dataset whose numbers are written piece by piece. */
export interface Hdf5StreamDescription {
  readonly name: string;
  /** f16 (bit patterns), f32, f64 or integers. */
  readonly dtype: ElementType;
  readonly shape: readonly number[];
}

/**
 * An HDF5 file of one dataset in its root, piece by piece: for what does not fit in memory. The numbers lie in one row,
 * uncompressed, little-endian ("HDF5 File Format Specification", version 3.0: superblock and object headers of version 0 and
 * 1, which every reader knows).
 *
 * @param pieces the numbers in order, row-major
 * @throws UNSUPPORTED for bool and bf16; INVALID_ARGUMENT where the pieces are not as many numbers as the shape has
 */
export async function* hdf5Pieces(
  dataset: Hdf5StreamDescription,
  pieces: Iterable<ElementArray> | AsyncIterable<ElementArray>,
): AsyncGenerator<Uint8Array, void, void> {
  const count = elementCount(dataset.shape) ?? Number.NaN;
  yield hdf5Header(dataset);
  let written = 0;
  for await (const piece of pieces) {
    written += piece.length;
    if (written > count) break;
    yield encodeElements(piece);
  }
  if (written !== count) {
    throw new F2iError('INVALID_ARGUMENT', 'shape and data disagree', {
      field: dataset.name,
      expected: `${count} elements for [${dataset.shape.join(', ')}]`,
      found: written > count ? 'more' : `${written}`,
    });
  }
}

const UNDEFINED_ADDRESS = 0xffff_ffff_ffff_ffffn;
const LEAF_K = 4;
const INTERNAL_K = 16;
const DATA_ALIGNMENT = 2048;

/** Superblock, root group and the dataset's header; the numbers follow. */
function hdf5Header({ name, dtype, shape }: Hdf5StreamDescription): Uint8Array {
  const bytes = (elementCount(shape) ?? Number.NaN) * elementBytes(dtype);
  if (!Number.isSafeInteger(bytes) || !/^[\x21-\x2e\x30-\x7e]+$/.test(name)) {
    throw new F2iError('INVALID_ARGUMENT', 'no dataset that can be written', {
      field: name,
      expected: 'a name of ASCII letters and a size below 2^53',
      found: `[${shape.join(', ')}]`,
    });
  }
  const rootAt = 96;
  const treeAt = rootAt + 40;
  const heapAt = treeAt + 24 + 8 * (2 * INTERNAL_K + 1) + 8 * 2 * INTERNAL_K;
  const namesAt = heapAt + 32;
  const namesSize = 8 + 8 * Math.ceil((name.length + 1) / 8);
  const symbolsAt = namesAt + namesSize;
  const datasetAt = symbolsAt + 8 + 2 * LEAF_K * 40;
  const messages = datasetMessages(dtype, shape, bytes);
  const headerSize = messages.reduce((sum, { body }) => sum + 8 + body.length, 0);
  const dataAt = DATA_ALIGNMENT * Math.ceil((datasetAt + 16 + headerSize) / DATA_ALIGNMENT);

  const out = new Writer(dataAt);
  out.at(0).bytes([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]).bytes([0, 0, 0, 0, 0, 8, 8, 0]);
  out
    .u16(LEAF_K)
    .u16(INTERNAL_K)
    .u32(0)
    .u64(0)
    .u64(UNDEFINED_ADDRESS)
    .u64(dataAt + bytes)
    .u64(UNDEFINED_ADDRESS);
  // Root group: its symbol table is cached here.
  out.u64(0).u64(rootAt).u32(1).u32(0).u64(treeAt).u64(heapAt);
  out.at(rootAt).bytes([1, 0]).u16(1).u32(1).u32(24).u32(0).u16(0x11).u16(16).u32(0).u64(treeAt).u64(heapAt);
  out.at(treeAt).text('TREE').bytes([0, 0]).u16(1).u64(UNDEFINED_ADDRESS).u64(UNDEFINED_ADDRESS);
  out.u64(0).u64(symbolsAt).u64(8);
  // 1: no free space in the heap.
  out.at(heapAt).text('HEAP').u32(0).u64(namesSize).u64(1).u64(namesAt);
  out.at(namesAt + 8).text(name);
  out.at(symbolsAt).text('SNOD').bytes([1, 0]).u16(1).u64(8).u64(datasetAt);
  out.at(datasetAt).bytes([1, 0]).u16(messages.length).u32(1).u32(headerSize).u32(0);
  for (const { type, body } of messages) {
    out.u16(type).u16(body.length).u32(0);
    const view = new DataView(body.buffer);
    if (type === 0x0008) view.setBigUint64(2, BigInt(dataAt), true);
    out.bytes(body);
  }
  return out.all;
}

/** Dataspace, datatype, fill value (none) and layout, each padded to 8 bytes. The layout's address is filled in later. */
function datasetMessages(dtype: ElementType, shape: readonly number[], bytes: number) {
  const space = new Writer(8 + 8 * shape.length);
  space.bytes([1, shape.length, 0, 0]).u32(0);
  for (const extent of shape) space.u64(extent);
  const layout = new Writer(24);
  layout.bytes([3, 1]).u64(0).u64(bytes);
  return [
    { type: 0x0001, body: space.all },
    { type: 0x0003, body: datatype(dtype) },
    { type: 0x0005, body: new Writer(8).bytes([2, 2, 2, 0]).all },
    { type: 0x0008, body: layout.all },
  ];
}

/** Exponent's place and size, mantissa's size and the exponent's bias of IEEE 754. */
const FLOATS: Readonly<Record<string, readonly [number, number, number, number]>> = {
  f16: [10, 5, 10, 15],
  f32: [23, 8, 23, 127],
  f64: [52, 11, 52, 1023],
};

function datatype(dtype: ElementType): Uint8Array {
  const size = elementBytes(dtype);
  const float = FLOATS[dtype];
  if (float) {
    const [place, exponent, mantissa, bias] = float;
    const out = new Writer(24).bytes([0x11, 0x20, 8 * size - 1, 0]).u32(size);
    return out
      .u16(0)
      .u16(8 * size)
      .bytes([place, exponent, 0, mantissa])
      .u32(bias).all;
  }
  if (!/^[iu]\d+$/.test(dtype)) throw new F2iError('UNSUPPORTED', `HDF5 files of ${dtype} are not written`);
  const signed = dtype.startsWith('i') ? 8 : 0;
  return new Writer(16)
    .bytes([0x10, signed, 0, 0])
    .u32(size)
    .u16(0)
    .u16(8 * size).all;
}

/** Little-endian fields, one after the other. */
class Writer {
  readonly all: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(size: number) {
    this.all = new Uint8Array(size);
    this.#view = new DataView(this.all.buffer);
  }

  at(offset: number): this {
    this.#at = offset;
    return this;
  }

  bytes(values: ArrayLike<number>): this {
    this.all.set(values, this.#at);
    this.#at += values.length;
    return this;
  }

  text(value: string): this {
    return this.bytes(new TextEncoder().encode(value));
  }

  u16(value: number): this {
    this.#view.setUint16(this.#at, value, true);
    this.#at += 2;
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
    return this;
  }

  u64(value: number | bigint): this {
    this.#view.setBigUint64(this.#at, BigInt(value), true);
    this.#at += 8;
    return this;
  }
}
