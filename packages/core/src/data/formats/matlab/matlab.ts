import type { ElementType, NdArray } from '../../ndarray.ts';

/** An array in a file of MATLAB. */
export interface MatlabArray {
  /** As MATLAB spells the way to it, numbers from 1: `betas`, `roi.mask`, `subjects(2).age`, `labels{3}`. */
  readonly name: string;
  /** `double`, `single`, `int8` to `uint64`, `logical` or `char`. */
  readonly className: string;
  /** How its numbers are given; undefined for texts, which `readText` reads. */
  readonly dtype: ElementType | undefined;
  /** Extents in MATLAB's order, two at least. */
  readonly shape: readonly number[];
  readonly complex: boolean;
  readonly sparse: boolean;
  readonly compressed: boolean;
}

export interface MatlabReadOptions {
  /** Of complex numbers, the part to read: they are never given as if they were real. */
  readonly part?: 'real' | 'imaginary' | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The stored elements of a sparse matrix, by columns. Rows and starts count from 0. */
export interface SparseMatrix {
  readonly shape: readonly [rows: number, columns: number];
  /** Row of each element, ascending within a column. */
  readonly rows: Int32Array;
  /** [columns + 1]: where each column begins, and where the last one ends. */
  readonly starts: Int32Array;
  readonly values: NdArray;
}

/** A file of MATLAB that was opened: descriptions are read, numbers are when they are asked for. */
export interface Matlab {
  /** Name of the file, as the user gave it. */
  readonly name: string;
  readonly version: '5' | '7.3';
  /** All arrays of numbers and texts, those within structs and cells by their own names. */
  readonly arrays: ReadonlyMap<string, MatlabArray>;
  /** Structs and cells: what they are, in words. */
  readonly containers: ReadonlyMap<string, string>;
  /** What else is in the file, and why it is not read. */
  readonly others: ReadonlyMap<string, string>;
  /** A whole array, row-major with MATLAB's extents (MATLAB itself stores columns). Sparse ones are filled with zeros. */
  read(array: string, options?: MatlabReadOptions): Promise<NdArray>;
  /** The rows [start, end) of the first axis, counted from 0. They lie scattered: the file is passed over once. */
  readRows(array: string, start: number, end: number, options?: MatlabReadOptions): Promise<NdArray>;
  /** The range [start, end) of the last axis, counted from 0. It lies in one piece: nothing else is read. */
  readLast(array: string, start: number, end: number, options?: MatlabReadOptions): Promise<NdArray>;
  /** A sparse matrix as it is stored. */
  readSparse(array: string, options?: MatlabReadOptions): Promise<SparseMatrix>;
  /** A text: one string a row. */
  readText(array: string, signal?: AbortSignal): Promise<string[]>;
  /** Frees what the library holds of a file of version 7.3. Twice is fine. */
  close(): void;
}
