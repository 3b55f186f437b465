import { deflateSync } from 'node:zlib';

/**
 * Writes `.mat` files of level 5 as "MAT-File Format" (The MathWorks) states them, in either byte order, element by
 * element, so that tests can say anything a file may say, true or not.
 */
export class MatWriter {
  readonly littleEndian: boolean;

  constructor(littleEndian = true) {
    this.littleEndian = littleEndian;
  }

  numbers(type: number, values: readonly (number | bigint)[]): Buffer {
    const size = SIZES[type]!;
    const bytes = Buffer.alloc(size * values.length);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (const [i, value] of values.entries()) SETTERS[type]!(view, i * size, value, this.littleEndian);
    return bytes;
  }

  /** A data element: small where it fits and `small` allows it, padded to 8 bytes otherwise. */
  element(type: number, content: Uint8Array, small = true): Buffer {
    if (small && content.length > 0 && content.length <= 4) {
      const bytes = Buffer.alloc(8);
      new DataView(bytes.buffer, bytes.byteOffset).setUint32(
        0,
        (content.length << 16) | type,
        this.littleEndian,
      );
      bytes.set(content, 4);
      return bytes;
    }
    const bytes = Buffer.alloc(8 + Math.ceil(content.length / 8) * 8);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    view.setUint32(0, type, this.littleEndian);
    view.setUint32(4, content.length, this.littleEndian);
    bytes.set(content, 8);
    return bytes;
  }

  /** An array: flags, extents, name, and whatever parts follow. */
  array(
    kind: number,
    shape: readonly number[],
    name: string,
    parts: readonly Buffer[],
    flags = 0,
    nonzero = 0,
  ): Buffer {
    const content = [
      this.element(6, this.numbers(6, [kind | flags, nonzero])),
      this.element(5, this.numbers(5, shape)),
      this.element(1, Buffer.from(name, 'latin1')),
      ...parts,
    ];
    return this.element(14, Buffer.concat(content), false);
  }

  /** Numbers of a class, stored as a type, by columns. */
  matrix(
    name: string,
    kind: number,
    type: number,
    shape: readonly number[],
    values: readonly (number | bigint)[],
    flags = 0,
  ): Buffer {
    return this.array(kind, shape, name, [this.element(type, this.numbers(type, values))], flags);
  }

  struct(
    name: string,
    shape: readonly number[],
    fields: readonly string[],
    values: readonly Buffer[],
  ): Buffer {
    const names = Buffer.alloc(32 * fields.length);
    for (const [k, field] of fields.entries()) names.write(field, 32 * k, 'latin1');
    return this.array(2, shape, name, [
      this.element(5, this.numbers(5, [32])),
      this.element(1, names),
      ...values,
    ]);
  }

  /** zlib's stream of an array; such elements are not padded. */
  compressed(array: Buffer): Buffer {
    const packed = deflateSync(array);
    const tag = Buffer.alloc(8);
    const view = new DataView(tag.buffer, tag.byteOffset);
    view.setUint32(0, 15, this.littleEndian);
    view.setUint32(4, packed.length, this.littleEndian);
    return Buffer.concat([tag, packed]);
  }

  file(...variables: Buffer[]): Buffer {
    const header = Buffer.alloc(128, ' ');
    header.write('MATLAB 5.0 MAT-file, written by a test');
    const view = new DataView(header.buffer, header.byteOffset);
    view.setUint16(124, 0x100, this.littleEndian);
    header.write(this.littleEndian ? 'IM' : 'MI', 126);
    return Buffer.concat([header, ...variables]);
  }
}

/** Classes and types by number. */
export const CLASS = {
  cell: 1,
  object: 3,
  char: 4,
  sparse: 5,
  double: 6,
  single: 7,
  int8: 8,
  uint8: 9,
  int64: 14,
  uint64: 15,
  handle: 16,
  opaque: 17,
} as const;
export const COMPLEX = 0x800;
export const LOGICAL = 0x200;

const SIZES: Record<number, number> = {
  1: 1,
  2: 1,
  3: 2,
  4: 2,
  5: 4,
  6: 4,
  7: 4,
  9: 8,
  12: 8,
  13: 8,
  16: 1,
  17: 2,
};
type Setter = (view: DataView, at: number, value: number | bigint, littleEndian: boolean) => void;
const SETTERS: Record<number, Setter> = {
  1: (v, at, x) => v.setInt8(at, Number(x)),
  2: (v, at, x) => v.setUint8(at, Number(x)),
  3: (v, at, x, le) => v.setInt16(at, Number(x), le),
  4: (v, at, x, le) => v.setUint16(at, Number(x), le),
  5: (v, at, x, le) => v.setInt32(at, Number(x), le),
  6: (v, at, x, le) => v.setUint32(at, Number(x), le),
  7: (v, at, x, le) => v.setFloat32(at, Number(x), le),
  9: (v, at, x, le) => v.setFloat64(at, Number(x), le),
  12: (v, at, x, le) => v.setBigInt64(at, BigInt(x), le),
  13: (v, at, x, le) => v.setBigUint64(at, BigInt(x), le),
  16: (v, at, x) => v.setUint8(at, Number(x)),
  17: (v, at, x, le) => v.setUint16(at, Number(x), le),
};
