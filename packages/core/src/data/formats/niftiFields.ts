import { F2iError } from '../../error.ts';
import { viewOf } from './bytes.ts';

/** What must be known of a header to read the rest. */
export interface HeaderLayout {
  version: 1 | 2;
  littleEndian: boolean;
  voxelOffset: number;
  warnings: string[];
}

/** Fields of a header: each has an offset in version 1, and another one in version 2. */
export class NiftiFields {
  readonly #head: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  readonly #littleEndian: boolean;
  /** Whether the header is of version 1. */
  readonly isFirst: boolean;

  constructor(head: Uint8Array, { version, littleEndian }: HeaderLayout, file: string) {
    this.#head = head;
    this.#view = viewOf(head);
    this.#file = file;
    this.#littleEndian = littleEndian;
    this.isFirst = version === 1;
  }

  /** @throws FORMAT */
  fail(field: string, message: string, expected?: string, found?: string): never {
    throw new F2iError('FORMAT', message, { file: this.#file, field, expected, found });
  }

  int16(at1: number, at2: number): number {
    return this.#view.getInt16(this.isFirst ? at1 : at2, this.#littleEndian);
  }

  /** Of 16 bits in version 1, of 32 in version 2. */
  code(at1: number, at2: number): number {
    return this.isFirst
      ? this.#view.getInt16(at1, this.#littleEndian)
      : this.#view.getInt32(at2, this.#littleEndian);
  }

  /** The k-th of consecutive real numbers: float32 in version 1, float64 in version 2. */
  real(at1: number, at2: number, k = 0): number {
    return this.isFirst
      ? this.#view.getFloat32(at1 + 4 * k, this.#littleEndian)
      : this.#view.getFloat64(at2 + 8 * k, this.#littleEndian);
  }

  /** Latin-1, up to the first zero. */
  text(at1: number, at2: number, length: number): string {
    const at = this.isFirst ? at1 : at2;
    const bytes = this.#head.subarray(at, at + length);
    const end = bytes.indexOf(0);
    return new TextDecoder('latin1').decode(end < 0 ? bytes : bytes.subarray(0, end)).trim();
  }

  /** dim[k]: their number, and then the extents of the axes. */
  extent(k: number): number {
    return this.isFirst
      ? this.#view.getInt16(40 + 2 * k, this.#littleEndian)
      : Number(this.#view.getBigInt64(16 + 8 * k, this.#littleEndian));
  }

  /** xyzt_units: a byte in version 1, of 32 bits in version 2. */
  units(): number {
    return this.isFirst ? this.#view.getUint8(123) : this.#view.getInt32(500, this.#littleEndian);
  }
}
