import { F2iError } from '../../../error.ts';
import { type ElementType, elementCount, type NdArray } from '../../ndarray.ts';
import type { Hdf5 } from '../hdf5.ts';
import type { MatlabArray } from './matlab.ts';
import { NotRead } from './parse.ts';
import { ELEMENT_TYPES } from './types.ts';

/** Where an array of MATLAB lies in the file. */
export interface Found extends MatlabArray {
  readonly dataset: string;
  /** The dataset holds extents, one of them 0, and no numbers. */
  readonly empty: boolean;
  /** Of sparse ones: rows of the elements and starts of the columns; `dataset` has their values, if there are any. */
  readonly rows?: string;
  readonly starts?: string;
}

/** What one variable holds. */
export interface Contents {
  readonly arrays: Found[];
  readonly containers: [name: string, words: string][];
  readonly others: [name: string, why: string][];
}

/** As in files of version 5. */
const MAXIMUM_DEPTH = 32;
const MAXIMUM_NAMES = 1 << 17;
const MAXIMUM_LETTERS = 1 << 24;

/**
 * Follows a variable of a file of version 7.3 through its structs and cells:
 *
 * - a struct is a group of its fields;
 * - a cell is a dataset of references, its elements lie in the group `#refs#`;
 * - an array of structs is a group whose fields are datasets of references without a class of their own;
 * - a sparse matrix is a group of `data`, `ir` (rows) and `jc` (starts of columns), with its height as `MATLAB_sparse`;
 * - what is empty is a dataset of its extents, marked by `MATLAB_empty`.
 *
 * All extents are in reverse: MATLAB stores columns, HDF5 rows.
 */
export class VariableWalk {
  readonly contents: Contents = { arrays: [], containers: [], others: [] };
  readonly #file: Hdf5;
  /** Of each group, the names of what is directly in it. */
  readonly #children: ReadonlyMap<string, readonly string[]>;
  #names = 0;
  #letters = 0;

  constructor(file: Hdf5, children: ReadonlyMap<string, readonly string[]>) {
    this.#file = file;
    this.#children = children;
  }

  /** @throws NotRead where it nests too deep, or holds too much; F2iError FORMAT where it is damaged */
  visit(name: string, path: string, depth = 0): void {
    if (depth > MAXIMUM_DEPTH) throw new NotRead(`it nests deeper than ${MAXIMUM_DEPTH} levels`);
    this.#names++;
    this.#letters += name.length;
    if (this.#names > MAXIMUM_NAMES) throw new NotRead(`it holds more than ${MAXIMUM_NAMES} arrays`);
    if (this.#letters > MAXIMUM_LETTERS) throw new NotRead('the names in it are too long');
    const attributes = this.#file.attributes(path);
    const className = String(attributes.get('MATLAB_class') ?? 'none');
    const children = this.#children.get(path);
    if (children) {
      if (attributes.has('MATLAB_sparse'))
        this.#sparse(name, path, className, attributes.get('MATLAB_sparse'));
      else if (className === 'struct' || className === 'none') this.#struct(name, path, children, depth);
      else this.#refuse(name, className);
      return;
    }
    const empty = (attributes.get('MATLAB_empty') ?? 0) !== 0;
    const stored = this.#file.datasets.get(path);
    if (empty && stored) {
      this.#empty(name, path, className, stored.dtype, stored.shape);
      return;
    }
    const references = this.#file.references.get(path);
    if (references && className === 'cell') {
      const shape = extentsOf(references);
      this.contents.containers.push([name, `cell [${shape.join(', ')}]`]);
      this.#targets(path, elementCount(shape)).forEach((target, i) => {
        this.#element(`${name}{${i + 1}}`, target, depth);
      });
      return;
    }
    const complex = this.#file.complex.get(path);
    const dataset = stored ?? complex;
    const why = this.#file.others.get(path);
    if (ELEMENT_TYPES[className] === undefined && className !== 'char') this.#refuse(name, className);
    else if (!dataset) this.contents.others.push([name, why ?? 'no array']);
    else {
      this.#checkType(name, className, dataset.dtype);
      this.contents.arrays.push({
        ...this.#array(name, className, extentsOf(dataset.shape)),
        complex: complex !== undefined,
        compressed: dataset.filters.length > 0,
        dataset: path,
      });
    }
  }

  #struct(name: string, path: string, children: readonly string[], depth: number): void {
    const fields = children.map((child) => ({ key: child.slice(path.length + 1), path: child }));
    const keys = fields.map(({ key }) => key);
    const named = keys.length > 12 ? `${keys.slice(0, 12).join(', ')}, ...` : keys.join(', ');
    // Fields of an array of structs: references, one for each element.
    const extents = fields.map(({ path: field }) => {
      const isCell = this.#file.attributes(field).has('MATLAB_class');
      return isCell ? undefined : this.#file.references.get(field);
    });
    const isArray = fields.length > 0 && extents.every((extent) => extent !== undefined);
    const shape = isArray ? extentsOf(extents[0]!) : [1, 1];
    this.contents.containers.push([name, `struct [${shape.join(', ')}] of ${named || 'nothing'}`]);
    if (!isArray) {
      for (const { key, path: field } of fields) this.visit(`${name}.${key}`, field, depth + 1);
      return;
    }
    const different = extents.findIndex((extent) => extentsOf(extent!).join() !== shape.join());
    if (different >= 0) {
      throw new F2iError('FORMAT', 'the fields of an array of structs have different extents', {
        file: this.#file.name,
        field: `${name}.${keys[different]}`,
        expected: `[${shape.join(', ')}]`,
        found: `[${extentsOf(extents[different]!).join(', ')}]`,
      });
    }
    const targets = fields.map(({ path: field }) => this.#targets(field, elementCount(shape)));
    for (let i = 0; i < targets[0]!.length; i++) {
      fields.forEach(({ key }, k) => {
        this.#element(`${name}(${i + 1}).${key}`, targets[k]![i], depth);
      });
    }
  }

  #targets(path: string, count: number | undefined): (string | undefined)[] {
    if (count === undefined || count > MAXIMUM_NAMES) {
      throw new NotRead(`it holds more than ${MAXIMUM_NAMES} arrays`);
    }
    return this.#file.readReferences(path);
  }

  #element(name: string, target: string | undefined, depth: number): void {
    if (target === undefined) this.contents.containers.push([name, 'empty']);
    else this.visit(name, target, depth + 1);
  }

  #sparse(name: string, path: string, className: string, height: string | number | undefined): void {
    const [values, rows, starts] = ['data', 'ir', 'jc'].map((part) => `${path}/${part}`) as [
      string,
      string,
      string,
    ];
    const heads = this.#file.datasets.get(starts)?.shape;
    const isHeight = typeof height === 'number' && Number.isSafeInteger(height) && height >= 0;
    if (heads?.length !== 1 || heads[0]! < 1 || !isHeight) {
      throw new F2iError('FORMAT', 'a sparse matrix without its extents', {
        file: this.#file.name,
        field: name,
        expected: 'a number of rows, and the starts of columns (jc)',
        found: `${height} rows, ${heads ? `jc [${heads.join(', ')}]` : 'no jc'}`,
      });
    }
    const complex = this.#file.complex.has(values);
    const stored = complex ? this.#file.complex.get(values) : this.#file.datasets.get(values);
    if (ELEMENT_TYPES[className] === undefined) {
      this.#refuse(name, className);
      return;
    }
    if (stored) this.#checkType(name, className, stored.dtype);
    this.contents.arrays.push({
      ...this.#array(name, className, [height, heads[0]! - 1]),
      complex,
      sparse: true,
      empty: stored === undefined,
      dataset: values,
      rows,
      starts,
    });
  }

  /** MATLAB stores the extents of what is empty in place of its numbers. */
  #empty(
    name: string,
    path: string,
    className: string,
    stored: ElementType,
    extents: readonly number[],
  ): void {
    const count = elementCount(extents) ?? 0;
    const known = count >= 2 && count <= 32 && /^[ui]/.test(stored);
    const shape = known ? Array.from(this.#file.read(path).data as Iterable<number | bigint>, Number) : [];
    if (!known || elementCount(shape) !== 0 || shape.some((extent) => !Number.isSafeInteger(extent))) {
      throw new F2iError('FORMAT', 'an empty array whose extents are not', {
        file: this.#file.name,
        field: name,
        expected: 'two or more extents, one of them 0',
        found: shape.length > 0 ? `[${shape.join(', ')}]` : `${stored} [${extents.join(', ')}]`,
      });
    }
    if (className === 'canonical empty') this.contents.containers.push([name, 'empty']);
    else if (className === 'cell' || className === 'struct') {
      this.contents.containers.push([name, `${className} [${shape.join(', ')}]`]);
    } else if (ELEMENT_TYPES[className] === undefined && className !== 'char') this.#refuse(name, className);
    else this.contents.arrays.push({ ...this.#array(name, className, shape), dataset: path, empty: true });
  }

  #array(name: string, className: string, shape: readonly number[]): Omit<Found, 'dataset'> {
    return {
      name,
      className,
      dtype: ELEMENT_TYPES[className],
      shape,
      complex: false,
      sparse: false,
      compressed: false,
      empty: false,
    };
  }

  #checkType(name: string, className: string, stored: ElementType): void {
    // Booleans are bytes in these files.
    const expected = className === 'logical' ? 'u8' : ELEMENT_TYPES[className];
    if (className === 'char' ? /^u(8|16|32)$/.test(stored) : stored === expected) return;
    throw new F2iError('FORMAT', 'an array whose type is not that of its class', {
      file: this.#file.name,
      field: name,
      expected: className,
      found: stored,
    });
  }

  #refuse(name: string, className: string): void {
    const why =
      className === 'string'
        ? 'texts of class string are objects of MATLAB; save them as char or cellstr'
        : `of class ${className}, which is not read`;
    this.contents.others.push([name, why]);
  }
}

/** MATLAB's extents: two at least. */
function extentsOf(extents: readonly number[]): number[] {
  const shape = extents.toReversed();
  while (shape.length < 2) shape.unshift(1);
  return shape;
}

/** Values of whole numbers as int32, for indices. */
export function indicesOf({ data }: NdArray, place: { file: string; field: string }): Int32Array {
  return Int32Array.from(data as Iterable<number | bigint>, (value) => {
    const index = Number(value);
    if (Number.isInteger(index) && index >= 0 && index < 2 ** 31) return index;
    throw new F2iError('FORMAT', 'no index', { ...place, expected: '0 to 2^31 - 1', found: `${value}` });
  });
}
