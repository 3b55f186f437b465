import { elementBytes, elementCount } from '../../ndarray.ts';
import { viewOf } from '../bytes.ts';
import type { Element, Elements } from './elements.ts';
import type { MatlabArray } from './matlab.ts';
import { CHARACTERS, CLASSES, ELEMENT_TYPES, MI, STORED } from './types.ts';

/** Where numbers lie in a variable's content, and how. */
export interface StoredPart {
  readonly at: number;
  readonly bytes: number;
  /** Number of its type in the file. */
  readonly type: number;
}

/** What a description does not tell: where the parts of an array are. */
export interface Located extends MatlabArray {
  readonly real: StoredPart;
  readonly imaginary?: StoredPart;
  /** Of sparse ones: rows of the elements, starts of the columns. */
  readonly rows?: StoredPart;
  readonly starts?: StoredPart;
}

/** What a variable holds. */
export interface Parsed {
  readonly arrays: Located[];
  readonly containers: [name: string, words: string][];
  readonly others: [name: string, why: string][];
}

/** Nesting that no data have. */
const MAXIMUM_DEPTH = 32;
/** Names in one variable, and their letters: the captions of all pictures of COCO are fewer. */
const MAXIMUM_NAMES = 1 << 17;
const MAXIMUM_LETTERS = 1 << 24;
/** MATLAB's names have at most 63 letters. */
const MAXIMUM_NAME = 255;
const MAXIMUM_RANK = 32;

/** A variable is sound, as far as it was looked at, but it is not read; the others may be. */
export class NotRead extends Error {}

/** Reads the descriptions of a variable and of all it holds; numbers are passed over. */
export class VariableParser {
  readonly parsed: Parsed = { arrays: [], containers: [], others: [] };
  readonly #elements: Elements;
  readonly #compressed: boolean;
  #names = 0;
  #letters = 0;

  constructor(elements: Elements, compressed: boolean) {
    this.#elements = elements;
    this.#compressed = compressed;
  }

  /**
   * One array, from after its tag to `end`. The cursor stands at `end` then, but for numbers of a variable of its own:
   * they are passed over by nobody.
   *
   * @param path its name, or how the errors call it while that is unknown
   * @param inside whether it lies in a struct or a cell, which names it
   */
  async array(path: string, end: number, inside: boolean, depth = 0): Promise<void> {
    const elements = this.#elements;
    const flagsTag = await elements.next(`${path}: array flags`, end);
    if (flagsTag.type !== MI.UINT32 || flagsTag.bytes !== 8) {
      elements.fail(
        `${path}: array flags`,
        'not the flags of an array',
        '8 bytes of miUINT32 (6)',
        inWords(flagsTag),
      );
    }
    const flags = viewOf(await elements.content(flagsTag, path, 8)).getUint32(0, elements.littleEndian);
    const kind = CLASSES[flags & 0xff];
    if (kind === undefined)
      elements.fail(`${path}: class`, 'no class of MATLAB', '1 to 17', `${flags & 0xff}`);
    // Opaque objects have no extents.
    const shape = kind === 'opaque object' ? [] : await this.#shape(path, end);
    const own = await this.#text(`${path}: name`, end);
    const name = inside ? path : own;
    this.#count(name);
    if (name === '') {
      this.parsed.others.push(['(unnamed)', 'what MATLAB keeps of its objects']);
    } else if (kind === 'cell') await this.#cell(name, shape, end, depth);
    else if (kind === 'struct') await this.#struct(name, shape, end, depth);
    else if (kind === 'object' || kind === 'opaque object' || kind === 'function handle') {
      const article = kind === 'function handle' ? 'a' : 'an';
      this.parsed.others.push([name, `${article} ${kind}: only MATLAB can make use of it`]);
    } else {
      await this.#numbers(name, kind!, flags, shape, end);
      // Numbers of a variable of its own are its end: nothing beyond needs to be unpacked.
      if (!inside) return;
    }
    await elements.cursor.skip(end - elements.cursor.at);
  }

  async #shape(path: string, end: number): Promise<number[]> {
    const elements = this.#elements;
    const field = `${path}: dimensions`;
    const tag = await elements.next(field, end);
    if (tag.type !== MI.INT32 || tag.bytes % 4 !== 0 || tag.bytes < 8) {
      elements.fail(field, 'not the extents of an array', 'two or more of miINT32 (5)', inWords(tag));
    }
    const view = viewOf(await elements.content(tag, field, 4 * MAXIMUM_RANK));
    const shape = Array.from({ length: tag.bytes / 4 }, (_, k) =>
      view.getInt32(4 * k, elements.littleEndian),
    );
    const wrong = shape.find((extent) => extent < 0);
    if (wrong !== undefined) elements.fail(field, 'an impossible extent', 'at least 0', `${wrong}`);
    return shape;
  }

  async #text(field: string, end: number): Promise<string> {
    const elements = this.#elements;
    const tag = await elements.next(field, end);
    if (tag.bytes > 0 && ![MI.INT8, MI.UINT8, MI.UTF8].some((type) => type === tag.type)) {
      elements.fail(field, 'not a name', 'miINT8 (1)', inWords(tag));
    }
    return untilNul(await elements.content(tag, field, MAXIMUM_NAME));
  }

  async #numbers(name: string, kind: string, flags: number, shape: number[], end: number): Promise<void> {
    const elements = this.#elements;
    const isLogical = (flags & 0x200) !== 0;
    const complex = (flags & 0x800) !== 0;
    const sparse = kind === 'sparse';
    const className = isLogical ? 'logical' : sparse ? 'double' : kind;
    const count = elementCount(shape);
    if (count === undefined) {
      return elements.fail(
        `${name}: dimensions`,
        'more elements than can be counted',
        undefined,
        `[${shape.join(', ')}]`,
      );
    }
    const base = {
      name,
      className,
      dtype: ELEMENT_TYPES[className],
      shape,
      complex,
      sparse,
      compressed: this.#compressed,
    };
    if (sparse) {
      if (shape.length !== 2)
        elements.fail(`${name}: dimensions`, 'a sparse array is a matrix', '2', `${shape.length}`);
      const rows = await this.#stored(`${name}: row indices`, end, [MI.INT32, MI.UINT32]);
      if (rows.bytes % 4 !== 0) {
        elements.fail(`${name}: row indices`, 'not whole numbers', 'a multiple of 4 bytes', `${rows.bytes}`);
      }
      const starts = await this.#stored(`${name}: column starts`, end, [MI.INT32, MI.UINT32]);
      this.#expectCount(`${name}: column starts`, starts, shape[1]! + 1);
      const real = await this.#stored(`${name}: values`, end);
      const imaginary = complex ? { imaginary: await this.#stored(`${name}: imaginary part`, end) } : {};
      this.parsed.arrays.push({ ...base, real, rows, starts, ...imaginary });
    } else if (kind === 'char') {
      const real = await this.#stored(`${name}: text`, end, [...CHARACTERS.keys()]);
      // In UTF-8, a letter may have several bytes: they are counted when they are read.
      if (real.type !== MI.UTF8) this.#expectCount(`${name}: text`, real, count);
      this.parsed.arrays.push({ ...base, className: 'char', dtype: undefined, real });
    } else {
      const real = await this.#stored(`${name}: values`, end);
      this.#expectCount(`${name}: values`, real, count);
      if (!complex) {
        this.parsed.arrays.push({ ...base, real });
        return;
      }
      const imaginary = await this.#stored(`${name}: imaginary part`, end);
      this.#expectCount(`${name}: imaginary part`, imaginary, count);
      this.parsed.arrays.push({ ...base, real, imaginary });
    }
  }

  /** Where numbers lie. They are passed over when the next element is looked for. */
  async #stored(field: string, end: number, types?: readonly number[]): Promise<StoredPart> {
    const elements = this.#elements;
    if (this.#after !== undefined) await elements.cursor.skip(this.#after - elements.cursor.at);
    this.#after = undefined;
    const tag = await elements.next(field, end);
    const known = types ? types.includes(tag.type) : STORED[tag.type] !== undefined;
    // An empty element may say anything: MATLAB writes zeros.
    if (tag.bytes > 0 && !known) {
      const expected = types ? `type ${types.join(' or ')}` : 'a type of numbers';
      elements.fail(field, 'not a type of what lies here', expected, inWords(tag));
    }
    this.#after = tag.end;
    return { at: tag.at, bytes: tag.bytes, type: tag.type };
  }
  #after: number | undefined;

  #expectCount(field: string, { bytes, type }: StoredPart, count: number): void {
    const size = bytes === 0 ? 1 : (CHARACTERS.get(type) ?? elementBytes(STORED[type]!));
    if (bytes === count * size) return;
    const expected = `${count * size} bytes for ${count} elements of type ${type}`;
    this.#elements.fail(
      field,
      'the amount of data is not what the dimensions announce',
      expected,
      `${bytes}`,
    );
  }

  async #cell(name: string, shape: number[], end: number, depth: number): Promise<void> {
    this.parsed.containers.push([name, `cell [${shape.join(', ')}]`]);
    const count = this.#room(name, shape, 1, end);
    for (let i = 1; i <= count; i++) await this.#child(`${name}{${i}}`, end, depth);
  }

  async #struct(name: string, shape: number[], end: number, depth: number): Promise<void> {
    const elements = this.#elements;
    const field = `${name}: field names`;
    const lengthTag = await elements.next(field, end);
    if (lengthTag.type !== MI.INT32 || lengthTag.bytes !== 4) {
      elements.fail(field, 'not the length of field names', '4 bytes of miINT32 (5)', inWords(lengthTag));
    }
    const length = viewOf(await elements.content(lengthTag, field, 4)).getInt32(0, elements.littleEndian);
    if (length < 1 || length > MAXIMUM_NAME) {
      elements.fail(field, 'an impossible length of names', `1 to ${MAXIMUM_NAME}`, `${length}`);
    }
    const tag = await elements.next(field, end);
    const bytes = await elements.content(tag, field, MAXIMUM_NAMES * MAXIMUM_NAME);
    if (bytes.length % length !== 0) {
      elements.fail(field, 'not a whole number of names', `a multiple of ${length} bytes`, `${bytes.length}`);
    }
    const names = Array.from({ length: bytes.length / length }, (_, k) =>
      untilNul(bytes.subarray(k * length, (k + 1) * length)),
    );
    const doubled = names.length - new Set(names).size;
    if (doubled > 0)
      elements.fail(field, 'a name occurs twice', `${names.length} names`, `${names.length - doubled}`);
    const named = names.length > 12 ? `${names.slice(0, 12).join(', ')}, ...` : names.join(', ');
    this.parsed.containers.push([name, `struct [${shape.join(', ')}] of ${named || 'nothing'}`]);
    const count = this.#room(name, shape, names.length, end);
    for (let i = 1; i <= count; i++) {
      const element = count === 1 ? name : `${name}(${i})`;
      for (const key of names) await this.#child(`${element}.${key}`, end, depth);
    }
  }

  async #child(name: string, end: number, depth: number): Promise<void> {
    const elements = this.#elements;
    const tag = await elements.next(name, end);
    if (tag.type !== MI.MATRIX) elements.fail(name, 'not an array', 'miMATRIX (14)', inWords(tag));
    if (tag.bytes === 0) {
      this.#count(name);
      this.parsed.containers.push([name, 'empty']);
      return;
    }
    if (depth >= MAXIMUM_DEPTH) throw new NotRead(`it nests deeper than ${MAXIMUM_DEPTH} levels`);
    this.#after = undefined;
    await this.array(name, tag.end, true, depth + 1);
    this.#after = undefined;
  }

  /** Number of elements of a cell or a struct, if what holds them has room for as many tags. */
  #room(name: string, shape: number[], each: number, end: number): number {
    const count = elementCount(shape) ?? Number.POSITIVE_INFINITY;
    const left = Math.floor((end - this.#elements.cursor.at) / 8);
    if (each > 0 && count * each > left) {
      const expected = `at most ${left} in ${8 * left} bytes`;
      this.#elements.fail(
        `${name}: dimensions`,
        'more elements than there is room for',
        expected,
        `${count * each}`,
      );
    }
    return each === 0 ? 0 : count;
  }

  #count(name: string): void {
    this.#names++;
    this.#letters += name.length;
    if (this.#names > MAXIMUM_NAMES) throw new NotRead(`it holds more than ${MAXIMUM_NAMES} arrays`);
    if (this.#letters > MAXIMUM_LETTERS) throw new NotRead('the names in it are too long');
  }
}

function untilNul(bytes: Uint8Array): string {
  const nul = bytes.indexOf(0);
  return new TextDecoder('latin1').decode(nul < 0 ? bytes : bytes.subarray(0, nul));
}

const inWords = ({ type, bytes }: Element): string => `type ${type} of ${bytes} bytes`;
