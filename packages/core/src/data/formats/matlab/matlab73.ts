import { F2iError } from '../../../error.ts';
import { allocate, elementCount, hostIsLittleEndian, type NdArray } from '../../ndarray.ts';
import type { Source } from '../../source.ts';
import { syncOf } from '../../syncSource.ts';
import { type Hdf5, type Hdf5Dataset, openHdf5 } from '../hdf5.ts';
import { toRowMajor } from '../npy.ts';
import { checkSlice } from '../slice.ts';
import { type Found, indicesOf, VariableWalk } from './contents73.ts';
import type { Matlab, MatlabArray, MatlabReadOptions, SparseMatrix } from './matlab.ts';
import { NotRead } from './parse.ts';
import { checkSparse, fillSparse } from './sparse.ts';
import { readCharacters } from './text.ts';
import { MI, putNumbers } from './types.ts';

/** Where MATLAB puts what cells and arrays of structs refer to, and its objects. */
const HIDDEN = /^#(refs|subsystem)#/;

/**
 * Files of version 7.3 are HDF5 files: an array is a dataset whose attribute MATLAB_class names its class, with the
 * extents in reverse (MATLAB stores columns, HDF5 rows). What structs and cells hold is found as in files of version 5.
 */
export async function openMatlab73(source: Source): Promise<Matlab> {
  const file = await openHdf5(syncOf(source));
  try {
    return new Matlab73(file);
  } catch (error) {
    file.close();
    throw error;
  }
}

class Matlab73 implements Matlab {
  readonly name: string;
  readonly version = '7.3';
  readonly arrays: ReadonlyMap<string, MatlabArray>;
  readonly containers = new Map<string, string>();
  readonly others = new Map<string, string>();
  readonly #file: Hdf5;
  readonly #found = new Map<string, Found>();

  constructor(file: Hdf5) {
    this.name = file.name;
    this.#file = file;
    const children = childrenOf(file);
    for (const variable of children.get('') ?? []) {
      if (HIDDEN.test(variable)) continue;
      const walk = new VariableWalk(file, children);
      try {
        walk.visit(variable, variable);
      } catch (error) {
        if (!(error instanceof NotRead)) throw error;
        this.others.set(variable, error.message);
        continue;
      }
      for (const array of walk.contents.arrays) this.#found.set(array.name, array);
      for (const [path, words] of walk.contents.containers) this.containers.set(path, words);
      for (const [path, why] of walk.contents.others) this.others.set(path, why);
    }
    this.arrays = new Map(
      [...this.#found].map(([name, { dataset: _, empty: __, rows: ___, starts: ____, ...described }]) => [
        name,
        described,
      ]),
    );
  }

  async read(name: string, options: MatlabReadOptions = {}): Promise<NdArray> {
    const found = this.#numbers(name, options);
    if (found.sparse)
      return fillSparse(await this.readSparse(name, options), { file: this.name, field: name });
    return this.#block(found, options, 0, found.shape[0]!, 0, found.shape.at(-1)!);
  }

  async readRows(
    name: string,
    start: number,
    end: number,
    options: MatlabReadOptions = {},
  ): Promise<NdArray> {
    const found = this.#dense(name, options);
    checkSlice(start, end, found.shape[0]!, 'rows', { file: this.name, field: name });
    return this.#block(found, options, start, end, 0, found.shape.at(-1)!);
  }

  async readLast(
    name: string,
    start: number,
    end: number,
    options: MatlabReadOptions = {},
  ): Promise<NdArray> {
    const found = this.#dense(name, options);
    checkSlice(start, end, found.shape.at(-1)!, 'last axis', { file: this.name, field: name });
    return this.#block(found, options, 0, found.shape[0]!, start, end);
  }

  async readSparse(name: string, options: MatlabReadOptions = {}): Promise<SparseMatrix> {
    const found = this.#numbers(name, options);
    const place = { file: this.name, field: name };
    if (!found.sparse) throw new F2iError('UNSUPPORTED', 'not a sparse matrix; read() reads it', place);
    const shape = found.shape as readonly [number, number];
    const starts = indicesOf(this.#file.read(found.starts!), place);
    const hasRows = !found.empty && this.#file.datasets.has(found.rows!);
    const rows = hasRows ? indicesOf(this.#file.read(found.rows!), place) : new Int32Array(0);
    const extents = this.#stored(found)?.shape ?? [0];
    const count = checkSparse(shape, rows, starts, elementCount(extents) ?? 0, place);
    const values = count === 0 ? undefined : this.#values(found, options, [[0, count]]);
    return {
      shape,
      rows: rows.slice(0, count),
      starts,
      values: values ?? { dtype: found.dtype!, shape: [0], data: allocate(found.dtype!, 0, this.name) },
    };
  }

  async readText(name: string): Promise<string[]> {
    const found = this.#array(name);
    const place = { file: this.name, field: name };
    if (found.className !== 'char') {
      throw new F2iError('UNSUPPORTED', `not a text but ${found.className}; read() reads it`, place);
    }
    if (found.empty) return found.shape[0] === 1 ? [''] : [];
    const { data, dtype } = this.#file.read(found.dataset);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const type = ({ u8: MI.UINT8, u16: MI.UINT16, u32: MI.UINT32 } as Record<string, number>)[dtype]!;
    return readCharacters(bytes, type, found.shape, hostIsLittleEndian, place);
  }

  close(): void {
    this.#file.close();
  }

  /** Rows of the first axis, by a range of the last: in HDF5, the first axis is MATLAB's last. */
  #block(
    found: Found,
    options: MatlabReadOptions,
    firstFrom: number,
    firstTo: number,
    lastFrom: number,
    lastTo: number,
  ): NdArray {
    const dtype = found.dtype!;
    const shape = [...found.shape];
    shape[0] = firstTo - firstFrom;
    shape[shape.length - 1] = lastTo - lastFrom;
    if (elementCount(shape) === 0) return { dtype, shape, data: allocate(dtype, 0, this.name) };
    const extents = this.#stored(found)!.shape;
    const ranges = extents.map((extent): [number, number] => [0, extent]);
    if (extents.length > 1) ranges[0] = [lastFrom, lastTo];
    if (extents.length > 0) {
      ranges[ranges.length - 1] = extents.length > 1 ? [firstFrom, firstTo] : [lastFrom, lastTo];
    }
    const { data } = this.#values(found, options, ranges);
    return { dtype, shape, data: toRowMajor(data, dtype, shape, this.name) };
  }

  /** Numbers of a block as they lie, as their class has them. */
  #values(
    { dataset, dtype, complex, name }: Found,
    { part = 'real' }: MatlabReadOptions,
    ranges: readonly [number, number][],
  ): NdArray {
    const block = complex
      ? this.#file.readComplexBlock(dataset, part, ranges)
      : this.#file.readBlock(dataset, ranges);
    const data = allocate(dtype!, block.data.length, this.name);
    putNumbers(block.data, block.dtype, data, dtype!, 0, { file: this.name, field: name });
    return { dtype: dtype!, shape: block.shape, data };
  }

  #stored({ dataset, complex }: Found): Hdf5Dataset | undefined {
    return (complex ? this.#file.complex : this.#file.datasets).get(dataset);
  }

  #dense(name: string, options: MatlabReadOptions): Found {
    const found = this.#numbers(name, options);
    if (!found.sparse) return found;
    throw new F2iError('UNSUPPORTED', 'ranges of sparse matrices are not read; readSparse() reads them', {
      file: this.name,
      field: name,
    });
  }

  #numbers(name: string, { part }: MatlabReadOptions): Found {
    const found = this.#array(name);
    const refuse = (why: string) => new F2iError('UNSUPPORTED', why, { file: this.name, field: name });
    if (found.className === 'char') throw refuse('a text; readText() reads it');
    if (found.complex && part === undefined) {
      throw refuse('its numbers are complex: ask for one part, real or imaginary');
    }
    if (!found.complex && part === 'imaginary') throw refuse('its numbers are real');
    return found;
  }

  #array(name: string): Found {
    const found = this.#found.get(name);
    if (found) return found;
    const why = this.others.get(name);
    if (why !== undefined) throw new F2iError('UNSUPPORTED', why, { file: this.name, field: name });
    throw new F2iError('FORMAT', 'no such array', {
      file: this.name,
      field: name,
      expected: [...this.#found.keys()].slice(0, 12).join(', ') || 'an array',
      found: this.containers.get(name),
    });
  }
}

/** Of each group (the file itself is ''), the paths of what is directly in it, in the file's order. */
function childrenOf(file: Hdf5): ReadonlyMap<string, readonly string[]> {
  const children = new Map<string, string[]>([['', []]]);
  for (const group of file.groups) children.set(group, []);
  for (const path of new Set([...file.groups, ...file.datasets.keys(), ...file.others.keys()])) {
    children.get(path.slice(0, Math.max(0, path.lastIndexOf('/'))))?.push(path);
  }
  for (const paths of children.values()) paths.sort();
  return children;
}
