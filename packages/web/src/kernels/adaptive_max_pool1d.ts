import type { AdaptiveMaxPool1dAttributes } from '@fmri2image/core';
import type { Program } from '../queue/program.ts';
import source from './adaptive_max_pool1d.wgsl';
import bits from './bits.wgsl';
import grid from './grid.wgsl';
import {
  type Kernel,
  linearGrid,
  type Piece,
  pieces,
  windowCapacity,
  windowOn,
  windowOnPart,
} from './kernel.ts';

const program: Program = {
  name: 'adaptive_max_pool1d',
  code: bits + grid + source,
  access: ['read', 'read', 'read_write'],
};

export const adaptiveMaxPool1d: Kernel<AdaptiveMaxPool1dAttributes> = {
  programs: () => [program],
  encode({ inputs: [x], outputs: [y], attributes: { size } }, encoder) {
    if (y!.rows === 0) return;
    const { limits } = encoder;
    const { cols: length, ld } = x!;
    const capacity = windowCapacity(limits);
    const start = (i: number) => Math.floor((i * length) / size);
    const end = (i: number) => Math.ceil(((i + 1) * length) / size);
    // Products of positions exceed 32 bits: the host makes the windows.
    const ranges = encoder.constants(
      Int32Array.from({ length: 2 * size }, (_, i) => (i % 2 === 0 ? start(i / 2) : end((i - 1) / 2))),
    );
    const rowsAtOnce = Math.floor(capacity / Math.max(ld, y!.ld, 2 * size));
    for (const cols of rowsAtOnce > 0 ? [{ start: 0, size }] : runsOf(size, capacity, start, end)) {
      const [from, to] = [start(cols.start), end(cols.start + cols.size - 1)];
      const wranges = windowOn(ranges, 2 * cols.start, 2 * cols.size);
      // More than one piece only where a single window exceeds the device's bindings.
      for (const values of pieces(to - from, capacity)) {
        for (const rows of pieces(y!.rows, Math.max(1, rowsAtOnce))) {
          const wx = windowOnPart(x!, rows.start, rows.size, from + values.start, values.size);
          const wy = windowOnPart(y!, rows.start, rows.size, cols.start, cols.size);
          const each = Math.ceil(values.size / cols.size) + 1;
          const bound = [from + values.start, values.size, wx.base, ld];
          const rest = [...bound, wranges.base, wy.base, y!.ld, Number(values.start > 0)];
          const most = Math.max(64, Math.floor(limits.maxDispatchFlops / (10 * each)));
          for (const items of pieces(rows.size * cols.size, most)) {
            linearGrid(limits, items.size, 64, (first, count, stride, groups) => {
              const params = [items.start + first, count, stride, cols.size, ...rest];
              encoder.dispatch(program, [wx, wranges, wy], params, groups, 10 * count * each);
            });
          }
        }
      }
    }
  },
};

/** Runs of windows of a row that fit the bindings together, or single ones that do not. */
function* runsOf(
  size: number,
  capacity: number,
  start: (i: number) => number,
  end: (i: number) => number,
): Generator<Piece> {
  for (let first = 0; first < size; ) {
    let last = first;
    while (last + 1 < size && 2 * (last + 2 - first) <= capacity && end(last + 1) - start(first) <= capacity)
      last++;
    yield { start: first, size: last - first + 1 };
    first = last + 1;
  }
}
