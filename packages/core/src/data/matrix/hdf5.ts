import { openHdf5 } from '../formats/hdf5.ts';
import { elementBytes } from '../ndarray.ts';
import { pacer } from '../pause.ts';
import type { SyncSource } from '../syncSource.ts';
import { asValues, newBlocks, scatter, typeFor } from './blocks.ts';
import { checkBlock, type MatrixSource } from './matrix.ts';
import { spansOf } from './spans.ts';

/** A call of the library reads at most so much; it holds up the thread meanwhile. */
const PIECE_BYTES = 4 * 2 ** 20;
/** Chunks hold several rows: reading a few more than wanted costs less than another call. */
const GAP = 16;

/**
 * A dataset of an HDF5 file as a matrix. Of rows with several axes, the part of the first that holds the columns is read.
 *
 * @param chosen picks a dataset out of the names that there are
 */
export async function hdf5Matrix(
  sync: SyncSource,
  chosen: (names: readonly string[]) => string,
): Promise<MatrixSource> {
  const file = await openHdf5(sync);
  try {
    const dataset = chosen([...file.datasets.keys()]);
    // Fails for a dataset whose filter is not read.
    file.readRows(dataset, 0, 0);
    const { dtype, shape } = file.datasets.get(dataset)!;
    const name = `${sync.name}: ${dataset}`;
    const [rows = 0, ...own] = shape;
    const columns = own.reduce((product, extent) => product * extent, 1);
    /** Values that one place along the first axis of a row holds. */
    const inner = columns / (own[0] ?? 1);
    const matrix: MatrixSource & Required<Pick<MatrixSource, 'readBlocks'>> = {
      name,
      rows,
      columns,
      shape: own,
      async read(wanted, from, to, signal, into) {
        return (await matrix.readBlocks(wanted, [from, to], signal, into && [into]))[0]!;
      },
      async readBlocks(wanted, edges, signal, into) {
        checkBlock(matrix, wanted, edges);
        const blocks = newBlocks(typeFor(dtype), wanted.length, edges, name, into);
        const [from, to] = [edges[0]!, edges.at(-1)!];
        if (from === to || wanted.length === 0) return blocks;
        const ranges: [number, number][] = own.map((extent) => [0, extent]);
        if (own.length > 0) ranges[0] = [Math.floor(from / inner), Math.ceil(to / inner)];
        const begin = own.length > 0 ? ranges[0]![0] * inner : 0;
        const width = own.length > 0 ? ranges[0]![1] * inner - begin : 1;
        const limit = Math.max(1, Math.floor(PIECE_BYTES / (width * elementBytes(dtype))));
        const breathe = pacer(signal, `reading ${name}`);
        for (const span of spansOf(wanted, limit, GAP)) {
          const block = file.readBlock(dataset, [[span.first, span.first + span.count], ...ranges]);
          scatter(asValues(block, name), span, begin, width, blocks, edges);
          await breathe();
        }
        return blocks;
      },
      close: () => file.close(),
    };
    return matrix;
  } catch (error) {
    file.close();
    throw error;
  }
}
