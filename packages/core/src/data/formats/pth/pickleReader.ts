import { F2iError } from '../../../error.ts';
import { viewOf } from '../bytes.ts';
import type { Refuse } from './globals.ts';
import { LIMITS } from './limits.ts';
import { OPCODES } from './opcodes.ts';
import { quoted } from './values.ts';

/** The pickle goes on where the bytes end: more of them may help. */
export class PickleEndsEarly extends F2iError {}

/** Opcodes of a pickle and their arguments, byte after byte; errors name the opcode that is being read, and its place. */
export class PickleReader {
  readonly #file: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;
  #opcode = 'PROTO';
  #opcodeAt: number;

  /** @param start where the pickle begins */
  constructor(bytes: Uint8Array, start: number, file: string) {
    this.#file = file;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#at = start;
    this.#opcodeAt = start;
  }

  /** The byte after what was read. */
  get at(): number {
    return this.#at;
  }

  /** @throws FORMAT */
  readonly refuse: Refuse = (message, expected, found) => {
    throw new F2iError('FORMAT', message, { ...this.#place(), expected, found });
  };

  /** @throws FORMAT for more than `most` */
  limit(value: number, most: number, what: string): void {
    if (value > most)
      this.refuse('the pickle is larger than any checkpoint', `at most ${most} ${what}`, `${value}`);
  }

  /** Name of the next opcode. */
  opcode(): string {
    this.#opcodeAt = this.#at;
    const byte = this.u8();
    const known = OPCODES.get(byte);
    this.#opcode = known ?? `0x${byte.toString(16).padStart(2, '0')}`;
    return known ?? this.refuse('not an opcode');
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A length. */
  u64(): number {
    const value = this.#view.getBigUint64(this.#take(8), true);
    const most = this.#bytes.length;
    if (value > BigInt(most)) this.refuse('impossible length', `at most ${most}`, `${value}`);
    return Number(value);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  /** Big-endian, as Python writes it. */
  f64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  bytes(length: number): Uint8Array {
    return this.#bytes.subarray(this.#take(length), this.#at);
  }

  text(length: number): string {
    this.limit(length, LIMITS.text, 'bytes of text');
    const bytes = this.bytes(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return this.refuse('a text is not UTF-8');
    }
  }

  /** Bytes that Python 2 wrote as text. */
  latin(length: number): string {
    this.limit(length, LIMITS.text, 'bytes of text');
    return Array.from(this.bytes(length), (byte) => String.fromCharCode(byte)).join('');
  }

  /** Text up to the end of its line. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) this.#take(this.#bytes.length - this.#at + 1);
    const value = this.text(end - this.#at);
    this.#at++;
    return value;
  }

  /** A whole number in digits. */
  digits(digits = this.line()): number | bigint {
    const plain = digits.replace(/L$/, '');
    if (!/^[+-]?\d{1,2000}$/.test(plain)) this.refuse('not a whole number', 'digits', quoted(digits));
    return narrow(BigInt(plain));
  }

  /** A whole number in two's complement, its lowest byte first. */
  long(length: number): number | bigint {
    this.limit(length, LIMITS.integer, 'bytes of a whole number');
    const bytes = this.bytes(length);
    let hex = '';
    for (let i = length - 1; i >= 0; i--) hex += bytes[i]!.toString(16).padStart(2, '0');
    return hex === '' ? 0 : narrow(BigInt.asIntN(8 * length, BigInt(`0x${hex}`)));
  }

  /** A number in digits. */
  number(): number {
    const digits = this.line();
    const value = Number(digits);
    if (digits.trim() === '' || Number.isNaN(value) !== (digits === 'nan')) {
      this.refuse('not a number', 'digits', quoted(digits));
    }
    return value;
  }

  /** Moves on; returns where the bytes begin. */
  #take(length: number): number {
    if (length > this.#bytes.length - this.#at) {
      throw new PickleEndsEarly('FORMAT', 'the pickle ends too early', {
        ...this.#place(),
        expected: `${length} bytes at ${this.#at}`,
        found: `${this.#bytes.length - this.#at}`,
      });
    }
    this.#at += length;
    return this.#at - length;
  }

  #place() {
    return { file: this.#file, field: `opcode ${this.#opcode} at byte ${this.#opcodeAt}` };
  }
}

/** A number where it is exact. */
function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
