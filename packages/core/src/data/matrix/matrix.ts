/**
 * Numbers of a matrix that may lie on disk: one row a trial, a volume or a picture, one column a voxel or a value of a
 * target. What does not fit in memory is read in blocks.
 */
export interface MatrixSource {
  /** For errors and ledgers: the file, and the array in it. */
  readonly name: string;
  readonly rows: number;
  /** Values of a row, all its axes multiplied. */
  readonly columns: number;
  /** Axes of one row: [257, 768]; their product is `columns`. */
  readonly shape: readonly number[];
  /**
   * Columns [from, to) of some rows, in the order given; a row may stand twice. Row-major [rows.length, to - from], in an
   * array that the caller may give away.
   *
   * @throws FORMAT or IO naming the file; INVALID_ARGUMENT for rows and columns that there are not; CANCELLED
   */
  read(
    rows: ArrayLike<number>,
    from: number,
    to: number,
    signal?: AbortSignal,
  ): Promise<Float32Array | Float64Array>;
  close?(): void;
}

/** Where blocks of columns of a matrix go, by ascending columns, each once. */
export interface MatrixSink {
  /** @param values columns [from, to) of all rows, row-major [rows, to - from] */
  write(from: number, to: number, values: Float32Array | Float64Array): Promise<void>;
}
