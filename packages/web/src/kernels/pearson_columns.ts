import { f32Bits, type Program } from '../queue/program.ts';
import { columnGroups, encodeFrame, framePrograms, overColumns, stripsOf } from './columns.ts';
import {
  type Encoder,
  type Kernel,
  type Matrix,
  part,
  type Window,
  windowOn,
  windowOnPart,
} from './kernel.ts';
import source from './pearson_columns.wgsl';

const PEARSON = {
  code: source,
  access: ['read', 'read', 'read', 'read', 'read_write', 'read_write'],
} as const;
const sum: Program = { ...PEARSON, name: 'pearson_columns sum', entry: 'sum_chunk' };
const finish: Program = { ...PEARSON, name: 'pearson_columns finish', entry: 'finish' };

const QUANTITIES = 5;

/** Two passes, as one would lose small variances beside large means. */
export const pearsonColumns: Kernel = {
  programs: () => [...framePrograms, sum, finish],
  encode({ inputs: [a, b], outputs: [y] }, encoder) {
    for (const { start, size } of columnGroups(encoder, a!, QUANTITIES)) {
      const { rows } = a!;
      encodeGroup(
        encoder,
        part(a!, 0, rows, start, size),
        part(b!, 0, rows, start, size),
        windowOn(y!, start, size),
      );
    }
  },
};

function encodeGroup(encoder: Encoder, a: Matrix, b: Matrix, wy: Window): void {
  const { rows, cols } = a;
  const strips = stripsOf(encoder, a, QUANTITIES);
  const partials = encoder.scratch(QUANTITIES * strips.chunks, cols);
  const frameA = windowOn(encodeFrame(encoder, a, strips, partials), 0, 2 * cols);
  const frameB = windowOn(encodeFrame(encoder, b, strips, partials), 0, 2 * cols);
  const sums = windowOn(partials, 0, partials.rows * cols);
  for (const { row, rows: size, chunk, chunks } of strips.strips) {
    const wa = windowOnPart(a, row, size, 0, cols);
    const wb = windowOnPart(b, row, size, 0, cols);
    overColumns(encoder, cols, (col, groups, count) => {
      const params = [col, cols, size, strips.chunkRows, chunk, wa.base, wb.base, a.ld, b.ld, 0, 0, 0];
      const windows = [frameA, frameB, wa, wb, sums, wy];
      encoder.dispatch(sum, windows, params, [groups, chunks, 1], 10 * size * count);
    });
  }
  const unread = windowOn(a, 0, cols);
  overColumns(encoder, cols, (col, groups, count) => {
    const params = [col, cols, 0, 0, 0, 0, 0, 0, 0, strips.chunks, f32Bits(rows), wy.base];
    const windows = [frameA, frameB, unread, unread, sums, wy];
    encoder.dispatch(finish, windows, params, [groups, 1, 1], 5 * strips.chunks * count);
  });
}
