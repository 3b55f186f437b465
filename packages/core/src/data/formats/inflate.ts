/**
 * DEFLATE (RFC 1951), decoded in pieces.
 *
 * The platform's decompressors do not say where a stream ends, so that neither a second gzip member nor garbage after
 * the first could be told apart, and they differ in what they forgive. This one is strict as zlib is (codes that are
 * incomplete or over-subscribed are errors), never writes more than it is asked for, and reports how much it read.
 */

/** Why a stream is malformed; readers turn it into an error that names the file. */
export class InflateError extends Error {}

const lengthBase = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
  227, 258,
];
const lengthExtra = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBase = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
  6145, 8193, 12289, 16385, 24577,
];
const distanceExtra = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
/** Order in which a dynamic block stores the lengths of its code-length codes. */
const codeLengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** A Huffman code as one table: indexed by the next `bits` bits of input, each entry `symbol << 4 | length`. */
interface Code {
  readonly table: Uint16Array;
  readonly bits: number;
}

/**
 * @param lengths code length of each symbol, 0 where the symbol is not used
 * @param mayBeIncomplete zlib accepts a single code of one bit, in the literal and the distance code
 */
function makeCode(lengths: Uint8Array, mayBeIncomplete: boolean, what: string): Code {
  const counts = new Uint16Array(16);
  let bits = 0;
  for (const length of lengths) {
    counts[length]!++;
    if (length > bits) bits = length;
  }
  let left = 1;
  for (let length = 1; length <= 15; length++) {
    left = left * 2 - counts[length]!;
    if (left < 0) throw new InflateError(`the ${what} code is over-subscribed`);
  }
  if (left > 0 && !(mayBeIncomplete && bits <= 1)) throw new InflateError(`the ${what} code is incomplete`);

  bits = Math.max(bits, 1);
  const table = new Uint16Array(1 << bits);
  const next = new Uint16Array(16);
  counts[0] = 0;
  for (let length = 1; length < 15; length++) next[length + 1] = (next[length]! + counts[length]!) << 1;
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!;
    if (length === 0) continue;
    // Codes arrive with their first bit lowest.
    let reversed = 0;
    for (let code = next[length]!++, k = 0; k < length; k++)
      reversed |= ((code >> k) & 1) << (length - 1 - k);
    const entry = (symbol << 4) | length;
    for (let index = reversed; index < table.length; index += 1 << length) table[index] = entry;
  }
  return { table, bits };
}

let fixed: { literals: Code; distances: Code } | undefined;
function fixedCodes() {
  if (!fixed) {
    const lengths = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280);
    const distances = makeCode(new Uint8Array(32).fill(5), false, 'distance');
    fixed = { literals: makeCode(lengths, false, 'literal'), distances };
  }
  return fixed;
}

const windowSize = 1 << 15;
const chunkSize = 1 << 17;
const longestMatch = 258;

/** Decodes one DEFLATE stream that lies in `input` from `start` on. */
export class Inflater {
  readonly #input: Uint8Array;
  #position: number;
  #bits = 0;
  #bitCount = 0;
  #block: 'header' | 'stored' | 'coded' | 'end' = 'header';
  #isLast = false;
  #storedLeft = 0;
  #literals!: Code;
  #distances!: Code;
  /** The last 32 KiB of output, then room for a chunk. */
  readonly #out = new Uint8Array(windowSize + chunkSize);
  /** Where in `#out` the last chunk ended. */
  #at = 0;

  constructor(input: Uint8Array, start = 0) {
    this.#input = input;
    this.#position = start;
  }

  /** The next bytes of output, or undefined after the last. The view is overwritten by the next call. */
  next(): Uint8Array | undefined {
    const out = this.#out;
    const first = Math.min(this.#at, windowSize);
    out.copyWithin(0, this.#at - first, this.#at);
    const stop = out.length - longestMatch;
    let at = first;
    while (at < stop && this.#block !== 'end') {
      if (this.#block === 'header') this.#readBlockHeader();
      else if (this.#block === 'stored') at = this.#copyStored(at, stop);
      else at = this.#decode(at, stop);
    }
    this.#at = at;
    return at === first ? undefined : out.subarray(first, at);
  }

  /** Once `next` returned undefined: the first byte of the input after the stream. */
  get end(): number {
    return this.#position;
  }

  #take(count: number): number {
    while (this.#bitCount < count) {
      if (this.#position >= this.#input.length) throw new InflateError('the compressed data end too early');
      this.#bits |= this.#input[this.#position++]! << this.#bitCount;
      this.#bitCount += 8;
    }
    const value = this.#bits & ((1 << count) - 1);
    this.#bits >>>= count;
    this.#bitCount -= count;
    return value;
  }

  #readBlockHeader(): void {
    if (this.#isLast) {
      this.#block = 'end';
      return;
    }
    this.#isLast = this.#take(1) === 1;
    const type = this.#take(2);
    if (type === 0) {
      // Stored: skip to the next byte, then the length and its complement.
      this.#bits = this.#bitCount = 0;
      const length = this.#take(16);
      const complement = this.#take(16);
      if ((length ^ complement) !== 0xffff) throw new InflateError('the length of a stored block is damaged');
      this.#storedLeft = length;
      this.#block = 'stored';
    } else if (type === 1) {
      ({ literals: this.#literals, distances: this.#distances } = fixedCodes());
      this.#block = 'coded';
    } else if (type === 2) {
      this.#readCodes();
      this.#block = 'coded';
    } else {
      throw new InflateError('a block of unknown type');
    }
  }

  #readCodes(): void {
    const literalCount = this.#take(5) + 257;
    const distanceCount = this.#take(5) + 1;
    const codeCount = this.#take(4) + 4;
    if (literalCount > 286 || distanceCount > 30) throw new InflateError('too many codes in a block');
    const codeLengths = new Uint8Array(19);
    for (let i = 0; i < codeCount; i++) codeLengths[codeLengthOrder[i]!] = this.#take(3);
    const code = makeCode(codeLengths, false, 'code-length');

    const lengths = new Uint8Array(literalCount + distanceCount);
    for (let i = 0; i < lengths.length; ) {
      const symbol = this.#symbol(code);
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) throw new InflateError('a repeat of no code length');
      const value = symbol === 16 ? lengths[i - 1]! : 0;
      const repeat =
        symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
      if (i + repeat > lengths.length) throw new InflateError('too many code lengths');
      lengths.fill(value, i, i + repeat);
      i += repeat;
    }
    if (lengths[256] === 0) throw new InflateError('a block without an end');
    this.#literals = makeCode(lengths.subarray(0, literalCount), true, 'literal');
    this.#distances = makeCode(lengths.subarray(literalCount), true, 'distance');
  }

  /** One symbol, bit by bit at the end of the input: the slow path, for headers. */
  #symbol(code: Code): number {
    while (this.#bitCount < code.bits && this.#position < this.#input.length) {
      this.#bits |= this.#input[this.#position++]! << this.#bitCount;
      this.#bitCount += 8;
    }
    const entry = code.table[this.#bits & ((1 << code.bits) - 1)]!;
    const length = entry & 15;
    if (length === 0) throw new InflateError('an invalid code');
    if (length > this.#bitCount) throw new InflateError('the compressed data end too early');
    this.#bits >>>= length;
    this.#bitCount -= length;
    return entry >> 4;
  }

  #copyStored(at: number, stop: number): number {
    const count = Math.min(this.#storedLeft, stop - at);
    if (this.#position + count > this.#input.length) {
      throw new InflateError('the compressed data end too early');
    }
    this.#out.set(this.#input.subarray(this.#position, this.#position + count), at);
    this.#position += count;
    this.#storedLeft -= count;
    if (this.#storedLeft === 0) this.#block = 'header';
    return at + count;
  }

  /** The hot loop: literals and matches of a block until it ends or `at` reaches `stop`. */
  #decode(start: number, stop: number): number {
    const input = this.#input;
    const out = this.#out;
    const literals = this.#literals.table;
    const literalMask = literals.length - 1;
    const distances = this.#distances.table;
    const distanceMask = distances.length - 1;
    let position = this.#position;
    let bits = this.#bits;
    let bitCount = this.#bitCount;
    let at = start;
    // Beyond the end of the input, zeros are read; that more was needed than there is shows at the next check.
    const inputEnd = input.length;
    const tooFar = inputEnd + 4;
    while (at < stop) {
      while (bitCount < 24) {
        bits |= (position < inputEnd ? input[position]! : 0) << bitCount;
        position++;
        bitCount += 8;
      }
      if (position > tooFar) throw new InflateError('the compressed data end too early');
      let entry = literals[bits & literalMask]!;
      let length = entry & 15;
      if (length === 0) throw new InflateError('an invalid code');
      bits >>>= length;
      bitCount -= length;
      const symbol = entry >> 4;
      if (symbol < 256) {
        out[at++] = symbol;
        continue;
      }
      if (symbol === 256) {
        this.#block = 'header';
        break;
      }
      if (symbol > 285) throw new InflateError('an invalid length');
      const extra = lengthExtra[symbol - 257]!;
      length = lengthBase[symbol - 257]! + (bits & ((1 << extra) - 1));
      bits >>>= extra;
      bitCount -= extra;

      while (bitCount < 24) {
        bits |= (position < inputEnd ? input[position]! : 0) << bitCount;
        position++;
        bitCount += 8;
      }
      entry = distances[bits & distanceMask]!;
      const distanceLength = entry & 15;
      if (distanceLength === 0) throw new InflateError('an invalid code');
      bits >>>= distanceLength;
      bitCount -= distanceLength;
      const distanceSymbol = entry >> 4;
      if (distanceSymbol > 29) throw new InflateError('an invalid distance');
      const distanceBits = distanceExtra[distanceSymbol]!;
      while (bitCount < distanceBits) {
        bits |= (position < inputEnd ? input[position]! : 0) << bitCount;
        position++;
        bitCount += 8;
      }
      const distance = distanceBase[distanceSymbol]! + (bits & ((1 << distanceBits) - 1));
      bits >>>= distanceBits;
      bitCount -= distanceBits;
      let from = at - distance;
      if (from < 0) throw new InflateError('a distance beyond the start of the data');
      for (const end = at + length; at < end; ) out[at++] = out[from++]!;
    }
    // Whole bytes that were fetched too early go back, and with them whatever was read beyond the end.
    position -= bitCount >> 3;
    bitCount &= 7;
    if (position > inputEnd) throw new InflateError('the compressed data end too early');
    this.#position = position;
    this.#bits = bits & ((1 << bitCount) - 1);
    this.#bitCount = bitCount;
    return at;
  }
}
