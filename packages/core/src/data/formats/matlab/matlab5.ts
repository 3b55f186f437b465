import { F2iError } from '../../../error.ts';
import {
  allocate,
  decodeElements,
  type ElementArray,
  type ElementType,
  elementBytes,
  elementCount,
  type NdArray,
} from '../../ndarray.ts';
import { pacer } from '../../pause.ts';
import { type Source, sliceSource } from '../../source.ts';
import { viewOf } from '../bytes.ts';
import { toRowMajor } from '../npy.ts';
import { checkSlice } from '../slice.ts';
import { type Cursor, inflatedCursor, sourceCursor } from './cursor.ts';
import { Elements } from './elements.ts';
import type { Matlab, MatlabArray, MatlabReadOptions, SparseMatrix } from './matlab.ts';
import { type Located, NotRead, type StoredPart, VariableParser } from './parse.ts';
import { checkSparse, fillSparse } from './sparse.ts';
import { readCharacters } from './text.ts';
import { ELEMENT_TYPES, MI, putNumbers, STORED } from './types.ts';

/** What a variable's positions count in: the file, or what was compressed in it. */
interface Content {
  /** Where the content ends, inflated if it was compressed. */
  readonly end: number;
  readonly compressed: boolean;
  open(at: number, signal?: AbortSignal): Promise<Cursor>;
}

interface Found extends Located {
  readonly content: Content;
}

const HEADER = 128;
/** DEFLATE's largest expansion: a match of 258 bytes in two bits. */
const MAXIMUM_EXPANSION = 1032;
/** Bytes that are decoded at once. */
const PIECE = 1 << 18;
const MAXIMUM_TEXT = 1 << 22;

/** Opens a file of level 5: of each variable, the descriptions are read. */
export async function openMatlab5(
  source: Source,
  littleEndian: boolean,
  signal?: AbortSignal,
): Promise<Matlab> {
  const file = source.name;
  const arrays = new Map<string, Found>();
  const containers = new Map<string, string>();
  const others = new Map<string, string>();
  const names = new Set<string>();
  const breathe = pacer(signal, `reading ${file}`);
  const tags = new Elements(sourceCursor(source, HEADER, signal), littleEndian, file);
  for (let number = 1; tags.cursor.at < source.size; number++) {
    const field = `variable ${number}`;
    const { type, bytes, at } = await tags.next(
      field,
      source.size,
      'the file is cut short: it ends in an element',
    );
    if (type !== MI.MATRIX && type !== MI.COMPRESSED) {
      tags.fail(
        field,
        'neither an array nor a compressed one',
        'miMATRIX (14) or miCOMPRESSED (15)',
        `${type}`,
      );
    }
    const content =
      type === MI.COMPRESSED
        ? await compressedContent(source, at, bytes, littleEndian, field, signal)
        : plainContent(source, at + bytes);
    const start = type === MI.COMPRESSED ? 8 : at;
    const found = await parseVariable(content, start, littleEndian, file, field, signal);
    const name = found.name;
    if (names.has(name)) tags.fail(name, 'two variables of one name');
    names.add(name);
    for (const array of found.parsed.arrays) {
      if (arrays.has(array.name)) tags.fail(array.name, 'two arrays of one name');
      arrays.set(array.name, { ...array, content });
    }
    for (const [path, words] of found.parsed.containers) containers.set(path, words);
    for (const [path, why] of found.parsed.others) others.set(path, why);
    // Compressed variables are not padded, and arrays state their size with all padding.
    await tags.cursor.skip(at + bytes - tags.cursor.at);
    await breathe();
  }
  return new Matlab5(source, littleEndian, arrays, containers, others);
}

function plainContent(source: Source, end: number): Content {
  return {
    end,
    compressed: false,
    open: async (at, signal) => sourceCursor(sliceSource(source, 0, end), at, signal),
  };
}

/** A compressed variable: zlib's stream of one element, whose own tag states the size. */
async function compressedContent(
  source: Source,
  offset: number,
  bytes: number,
  littleEndian: boolean,
  field: string,
  signal?: AbortSignal,
): Promise<Content> {
  const packed = sliceSource(source, offset, bytes);
  const cursor = inflatedCursor(packed, signal);
  try {
    const head = viewOf(await cursor.take(8));
    const [type, size] = [head.getUint32(0, littleEndian), head.getUint32(4, littleEndian)];
    if (type !== MI.MATRIX) {
      const found = `${type}`;
      throw new F2iError('FORMAT', 'what was compressed is no array', {
        file: source.name,
        field,
        expected: 'miMATRIX (14)',
        found,
      });
    }
    if (size + 8 > bytes * MAXIMUM_EXPANSION) {
      throw new F2iError('FORMAT', 'the variable cannot be as large as stated', {
        file: source.name,
        field,
        expected: `at most ${MAXIMUM_EXPANSION} times its ${bytes} compressed bytes`,
        found: `${size} bytes`,
      });
    }
    return {
      end: size + 8,
      compressed: true,
      async open(at, openSignal) {
        const opened = inflatedCursor(packed, openSignal);
        await opened.skip(at);
        return opened;
      },
    };
  } finally {
    await cursor.close();
  }
}

async function parseVariable(
  content: Content,
  start: number,
  littleEndian: boolean,
  file: string,
  field: string,
  signal?: AbortSignal,
) {
  const cursor = await content.open(start, signal);
  const parser = new VariableParser(new Elements(cursor, littleEndian, file), content.compressed);
  try {
    await parser.array(field, content.end, false);
    const { arrays, containers, others } = parser.parsed;
    // Containers come before what they hold.
    const name = containers[0]?.[0] ?? arrays[0]?.name ?? others[0]![0];
    return { name, parsed: parser.parsed };
  } catch (error) {
    if (!(error instanceof NotRead)) throw error;
    const name = parser.parsed.containers[0]?.[0] ?? field;
    const others: [string, string][] = [[name, error.message]];
    return { name, parsed: { arrays: [], containers: [], others } };
  } finally {
    await cursor.close();
  }
}

class Matlab5 implements Matlab {
  readonly name: string;
  readonly version = '5';
  readonly arrays: ReadonlyMap<string, MatlabArray>;
  readonly containers: ReadonlyMap<string, string>;
  readonly others: ReadonlyMap<string, string>;
  readonly #littleEndian: boolean;
  readonly #found: ReadonlyMap<string, Found>;

  constructor(
    source: Source,
    littleEndian: boolean,
    found: ReadonlyMap<string, Found>,
    containers: ReadonlyMap<string, string>,
    others: ReadonlyMap<string, string>,
  ) {
    this.name = source.name;
    this.#littleEndian = littleEndian;
    this.#found = found;
    this.containers = containers;
    this.others = others;
    this.arrays = new Map(
      [...found].map(
        ([name, { content: _, real: __, imaginary: ___, rows: ____, starts: _____, ...described }]) => [
          name,
          described,
        ],
      ),
    );
  }

  async read(name: string, options: MatlabReadOptions = {}): Promise<NdArray> {
    const { array, part, dtype } = this.#numbers(name, options);
    if (array.sparse)
      return fillSparse(await this.readSparse(name, options), { file: this.name, field: name });
    const count = elementCount(array.shape)!;
    return this.#ordered(array, part, dtype, array.shape, [[0, count]], options.signal, true);
  }

  async readRows(
    name: string,
    start: number,
    end: number,
    options: MatlabReadOptions = {},
  ): Promise<NdArray> {
    const { array, part, dtype } = this.#dense(name, options);
    const [rows = 0, ...rest] = array.shape;
    checkSlice(start, end, rows, 'rows', { file: this.name, field: name });
    const columns = elementCount(rest)!;
    function* ranges(): Iterable<[number, number]> {
      for (let column = 0; column < columns; column++) yield [column * rows + start, column * rows + end];
    }
    const empty = start === end ? [] : ranges();
    return this.#ordered(array, part, dtype, [end - start, ...rest], empty, options.signal);
  }

  async readLast(
    name: string,
    start: number,
    end: number,
    options: MatlabReadOptions = {},
  ): Promise<NdArray> {
    const { array, part, dtype } = this.#dense(name, options);
    const before = array.shape.slice(0, -1);
    checkSlice(start, end, array.shape.at(-1)!, 'last axis', { file: this.name, field: name });
    const each = elementCount(before)!;
    const range: [number, number] = [start * each, end * each];
    return this.#ordered(array, part, dtype, [...before, end - start], [range], options.signal);
  }

  async readSparse(name: string, options: MatlabReadOptions = {}): Promise<SparseMatrix> {
    const { array, part, dtype } = this.#numbers(name, options);
    const { signal } = options;
    if (!array.sparse) this.#refuse(name, 'not a sparse matrix; read() reads it');
    const [height = 0, width = 0] = array.shape;
    const integers = async (stored: StoredPart, field: string): Promise<Int32Array> => {
      const values = allocate('i32', stored.bytes / 4, this.name);
      await this.#stored(array, stored, 'i32', values, [[0, values.length]], `${name}: ${field}`, signal);
      return values;
    };
    const starts = await integers(array.starts!, 'column starts');
    const rows = await integers(array.rows!, 'row indices');
    const room = part.bytes === 0 ? 0 : part.bytes / elementBytes(STORED[part.type]!);
    const place = { file: this.name, field: name };
    const count = checkSparse([height, width], rows, starts, room, place);
    const data = allocate(dtype, count, this.name);
    await this.#stored(array, part, dtype, data, [[0, count]], `${name}: values`, signal);
    return {
      shape: [height, width],
      rows: rows.slice(0, count),
      starts,
      values: { dtype, shape: [count], data },
    };
  }

  async readText(name: string, signal?: AbortSignal): Promise<string[]> {
    const array = this.#array(name);
    if (array.className !== 'char') this.#refuse(name, `not a text but ${array.className}; read() reads it`);
    if (array.real.bytes > MAXIMUM_TEXT) this.#refuse(name, `a text of more than ${MAXIMUM_TEXT} bytes`);
    const cursor = await array.content.open(array.real.at, signal);
    try {
      const bytes = await cursor.take(array.real.bytes);
      return readCharacters(bytes, array.real.type, array.shape, this.#littleEndian, {
        file: this.name,
        field: name,
      });
    } finally {
      await cursor.close();
    }
  }

  close(): void {}

  /** The ranges of elements, which make up an array of this shape, in row-major order. */
  async #ordered(
    array: Found,
    part: StoredPart,
    dtype: ElementType,
    shape: readonly number[],
    ranges: Iterable<readonly [number, number]>,
    signal?: AbortSignal,
    whole = false,
  ): Promise<NdArray> {
    const columns = allocate(dtype, elementCount(shape)!, this.name);
    await this.#stored(array, part, dtype, columns, ranges, array.name, signal, whole);
    return { dtype, shape: [...shape], data: toRowMajor(columns, dtype, shape, this.name) };
  }

  /** Numbers of ascending ranges of elements, one after the other. Where all is read, checksums are checked. */
  async #stored(
    { content }: Found,
    part: StoredPart,
    dtype: ElementType,
    out: ElementArray,
    ranges: Iterable<readonly [number, number]>,
    field: string,
    signal?: AbortSignal,
    whole = false,
  ): Promise<void> {
    if (part.bytes === 0) return;
    const place = { file: this.name, field };
    const type = STORED[part.type]!;
    const size = elementBytes(type);
    const breathe = pacer(signal, `reading ${this.name}`);
    const cursor = await content.open(part.at, signal);
    try {
      let at = 0;
      for (const [from, to] of ranges) {
        await cursor.skip(part.at + from * size - cursor.at);
        for (let element = from; element < to; ) {
          const count = Math.min(to - element, PIECE / size);
          const bytes = await cursor.take(count * size);
          putNumbers(decodeElements(bytes, type, this.name, this.#littleEndian), type, out, dtype, at, place);
          element += count;
          at += count;
          await breathe();
        }
      }
      if (whole) await cursor.finish(content.end);
    } finally {
      await cursor.close();
    }
  }

  #dense(name: string, options: MatlabReadOptions) {
    const found = this.#numbers(name, options);
    if (found.array.sparse)
      this.#refuse(name, 'ranges of sparse matrices are not read; readSparse() reads them');
    return found;
  }

  #numbers(name: string, { part }: MatlabReadOptions) {
    const array = this.#array(name);
    if (array.className === 'char') this.#refuse(name, 'a text; readText() reads it');
    if (array.complex && part === undefined) {
      this.#refuse(name, 'its numbers are complex: ask for one part, real or imaginary');
    }
    if (!array.complex && part === 'imaginary') this.#refuse(name, 'its numbers are real');
    return {
      array,
      part: part === 'imaginary' ? array.imaginary! : array.real,
      dtype: ELEMENT_TYPES[array.className]!,
    };
  }

  #array(name: string): Found {
    const array = this.#found.get(name);
    if (array) return array;
    const why = this.others.get(name) ?? this.containers.get(name);
    if (why !== undefined && this.others.has(name)) this.#refuse(name, why);
    throw new F2iError('FORMAT', why === undefined ? 'no such array' : 'not an array of numbers', {
      file: this.name,
      field: name,
      expected: [...this.#found.keys()].slice(0, 12).join(', ') || 'an array',
      found: why,
    });
  }

  #refuse(name: string, why: string): never {
    throw new F2iError('UNSUPPORTED', why, { file: this.name, field: name });
  }
}
