import { F2iError } from '../../../error.ts';
import type { ElementType, NdArray } from '../../ndarray.ts';
import { allocate, elementCount, hostIsLittleEndian } from '../../ndarray.ts';
import type { Source } from '../../source.ts';
import { syncOf } from '../../syncSource.ts';
import { type Hdf5, openHdf5 } from '../hdf5.ts';
import { toRowMajor } from '../npy.ts';
import { checkSlice } from '../slice.ts';
import type { Matlab, MatlabArray, MatlabReadOptions, SparseMatrix } from './matlab.ts';
import { readCharacters } from './text.ts';
import { ELEMENT_TYPES, MI, putNumbers } from './types.ts';

/** A dataset of HDF5 that holds an array of MATLAB. */
interface Found extends MatlabArray {
  readonly dataset: string;
  /** The dataset holds extents, one of them 0, and no numbers. */
  readonly empty: boolean;
}

/** Where MATLAB puts what cells and arrays of structs refer to, and its objects. */
const HIDDEN = /^#(refs|subsystem)#/;

/**
 * Files of version 7.3 are HDF5 files: an array is a dataset whose attribute MATLAB_class names its class, with the
 * extents in reverse (MATLAB stores columns, HDF5 rows), and a struct is a group. Cells, arrays of structs, complex and
 * sparse arrays are references, compounds and groups; they are named, and not read.
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

const pathOf = (dataset: string): string => dataset.replaceAll('/', '.');

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
    const sparse: string[] = [];
    for (const group of file.groups) {
      if (HIDDEN.test(group)) continue;
      if (file.attributes(group).has('MATLAB_sparse')) {
        sparse.push(`${group}/`);
        this.others.set(pathOf(group), 'a sparse matrix of version 7.3; save it with -v7, or full()');
      } else this.containers.set(pathOf(group), 'struct');
    }
    const isHidden = (name: string) => HIDDEN.test(name) || sparse.some((group) => name.startsWith(group));
    for (const [name, why] of file.others) {
      if (isHidden(name)) continue;
      const kind = String(file.attributes(name).get('MATLAB_class'));
      const words =
        kind === 'cell'
          ? 'a cell of version 7.3, whose elements are references; save it with -v7'
          : ELEMENT_TYPES[kind]
            ? 'complex numbers of version 7.3; save real and imaginary part as arrays of their own'
            : why;
      this.others.set(pathOf(name), words);
    }
    for (const { name, dtype, shape } of file.datasets.values()) {
      if (!isHidden(name)) this.#describe(name, dtype, shape);
    }
    this.arrays = new Map(
      [...this.#found].map(([name, { dataset: _, empty: __, ...described }]) => [name, described]),
    );
  }

  #describe(dataset: string, stored: ElementType, extents: readonly number[]): void {
    const name = pathOf(dataset);
    const attributes = this.#file.attributes(dataset);
    const className = String(attributes.get('MATLAB_class') ?? 'none');
    const empty = (attributes.get('MATLAB_empty') ?? 0) !== 0;
    const dtype = ELEMENT_TYPES[className];
    if (className !== 'char' && dtype === undefined) {
      this.others.set(name, `of class ${className}, which is not read`);
      return;
    }
    const place = { file: this.name, field: name };
    let shape = extents.toReversed();
    if (empty) {
      const count = elementCount(extents) ?? 0;
      const known = count >= 2 && count <= 32 && /^[ui]/.test(stored);
      shape = known ? Array.from(this.#file.read(dataset).data as Iterable<number | bigint>, Number) : [];
      if (!known || elementCount(shape) !== 0 || shape.some((extent) => !Number.isSafeInteger(extent))) {
        throw new F2iError('FORMAT', 'an empty array whose extents are not', {
          ...place,
          expected: 'two or more extents, one of them 0',
          found: `${stored} [${extents.join(', ')}]`,
        });
      }
    } else if (
      className === 'char' ? !['u8', 'u16', 'u32'].includes(stored) : stored !== storedAs(className)
    ) {
      throw new F2iError('FORMAT', 'an array whose type is not that of its class', {
        ...place,
        expected: className,
        found: stored,
      });
    }
    if (shape.length === 1) shape.unshift(1);
    this.#found.set(name, {
      name,
      className,
      dtype: className === 'char' ? undefined : dtype,
      shape,
      complex: false,
      sparse: false,
      compressed: (this.#file.datasets.get(dataset)?.filters.length ?? 0) > 0,
      dataset,
      empty,
    });
  }

  async read(name: string, options: MatlabReadOptions = {}): Promise<NdArray> {
    const found = this.#numbers(name, options);
    return this.#block(found, 0, found.shape[0]!, 0, found.shape.at(-1)!);
  }

  async readRows(
    name: string,
    start: number,
    end: number,
    options: MatlabReadOptions = {},
  ): Promise<NdArray> {
    const found = this.#numbers(name, options);
    checkSlice(start, end, found.shape[0]!, 'rows', { file: this.name, field: name });
    return this.#block(found, start, end, 0, found.shape.at(-1)!);
  }

  async readLast(
    name: string,
    start: number,
    end: number,
    options: MatlabReadOptions = {},
  ): Promise<NdArray> {
    const found = this.#numbers(name, options);
    checkSlice(start, end, found.shape.at(-1)!, 'last axis', { file: this.name, field: name });
    return this.#block(found, 0, found.shape[0]!, start, end);
  }

  async readSparse(name: string): Promise<SparseMatrix> {
    this.#array(name);
    throw new F2iError('UNSUPPORTED', 'not a sparse matrix; read() reads it', {
      file: this.name,
      field: name,
    });
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
  #block(found: Found, firstFrom: number, firstTo: number, lastFrom: number, lastTo: number): NdArray {
    const dtype = found.dtype!;
    const shape = [...found.shape];
    shape[0] = firstTo - firstFrom;
    shape[shape.length - 1] = lastTo - lastFrom;
    if (elementCount(shape) === 0) return { dtype, shape, data: allocate(dtype, 0, this.name) };
    const extents = this.#file.datasets.get(found.dataset)!.shape;
    const ranges = extents.map((extent): [number, number] => [0, extent]);
    if (extents.length > 1) ranges[0] = [lastFrom, lastTo];
    ranges[ranges.length - 1] = extents.length > 1 ? [firstFrom, firstTo] : [lastFrom, lastTo];
    const block = this.#file.readBlock(found.dataset, ranges);
    const columns = allocate(dtype, block.data.length, this.name);
    putNumbers(block.data, block.dtype, columns, dtype, 0, { file: this.name, field: found.name });
    return { dtype, shape, data: toRowMajor(columns, dtype, shape, this.name) };
  }

  #numbers(name: string, { part }: MatlabReadOptions): Found {
    const found = this.#array(name);
    const place = { file: this.name, field: name };
    if (found.className === 'char') throw new F2iError('UNSUPPORTED', 'a text; readText() reads it', place);
    if (part === 'imaginary') throw new F2iError('UNSUPPORTED', 'its numbers are real', place);
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
      found: this.containers.get(name) ?? 'none',
    });
  }
}

/** Booleans are bytes in these files. */
const storedAs = (className: string): ElementType =>
  className === 'logical' ? 'u8' : ELEMENT_TYPES[className]!;
