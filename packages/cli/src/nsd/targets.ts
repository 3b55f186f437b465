import { openMatrix, type Rows } from '@fmri2image/core';
import { fileSource } from '@fmri2image/node';

/** Embeddings of pictures, which retrieval compares with. */
export interface Targets {
  readonly name: string;
  /** Rows of the file. */
  readonly rows: number;
  /** Of one picture. */
  readonly shape: readonly number[];
  /** [pictures, ...shape] of the pictures at these rows. */
  read(
    rows: readonly number[],
    options: { signal: AbortSignal; onProgress?: (share: number) => void },
  ): Promise<Rows & { readonly data: Float32Array }>;
  close(): void;
}

/** Rows that are read between two words on the progress. */
const ROWS_AT_ONCE = 16;

/**
 * Opens tokens of pictures: one array, a row for each test picture in ascending order of their number, or for each of the
 * 73,000. Rows are read when they are asked for.
 *
 * @throws FORMAT, USAGE or UNSUPPORTED, as `openMatrix`
 */
export async function openTargets(path: string, signal: AbortSignal): Promise<Targets> {
  const matrix = await openMatrix(await fileSource(path), { signal });
  const { rows, columns, shape } = matrix;
  return {
    name: path,
    rows,
    shape,
    async read(wanted, { signal: readSignal, onProgress }) {
      const data = new Float32Array(wanted.length * columns);
      for (let start = 0; start < wanted.length; start += ROWS_AT_ONCE) {
        const some = wanted.slice(start, start + ROWS_AT_ONCE);
        data.set(await matrix.read(some, 0, columns, readSignal), start * columns);
        onProgress?.((start + some.length) / wanted.length);
      }
      return { data, shape: [wanted.length, ...shape] };
    },
    close: () => matrix.close?.(),
  };
}
