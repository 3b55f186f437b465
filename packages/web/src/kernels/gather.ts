import { bytesPerElement, type GatherAttributes } from '@fmri2image/core';
import type { KernelLimits } from '../limits.ts';
import type { Program } from '../queue/program.ts';
import source from './gather.wgsl';
import grid from './grid.wgsl';
import { type Kernel, linearGrid, type Matrix, windowCapacity, windowOn, windowOnPart } from './kernel.ts';

function program(perWord: number): Program {
  return {
    name: `gather, ${perWord} in a word`,
    code: grid + source,
    access: ['read', 'read', 'read', 'read_write'],
    constants: { PER_WORD: perWord },
  };
}

const programs = new Map([1, 2, 4].map((perWord) => [perWord, program(perWord)]));

export const gather: Kernel<GatherAttributes> = {
  programs: () => [...programs.values()],
  dtypes: ['f32', 'f16', 'bf16', 'i32', 'u8'],
  refuses([x], { cols }, limits) {
    const longest = Math.max(x!.shape[1]!, cols?.length ?? 0);
    const capacity = windowCapacity(limits, x!.dtype);
    return longest <= capacity
      ? undefined
      : `rows are longer than the device's bindings (${capacity} elements)`;
  },
  encode({ inputs: [x], outputs: [y], attributes: { rows, cols } }, encoder) {
    if (y!.rows === 0 || y!.cols === 0) return;
    const perWord = 4 / bytesPerElement(x!.dtype);
    const rowList = rows && encoder.constants(rows);
    const colList = cols && encoder.constants(cols);
    for (const { start, size, lowest, highest } of runsOf(encoder.limits, x!, y!, rows)) {
      const wx = windowOnPart(x!, lowest, highest - lowest + 1, 0, x!.cols);
      const wy = windowOnPart(y!, start, size, 0, y!.cols);
      const wrows = rowList ? windowOn(rowList, start, size) : wx;
      const wcols = colList ? windowOn(colList, 0, colList.cols) : wx;
      const words = Math.ceil(((wy.base % perWord) + size * y!.cols) / perWord);
      linearGrid(encoder.limits, words, 256, (first, count, stride, groups) => {
        encoder.dispatch(
          programs.get(perWord)!,
          [wx, wrows, wcols, wy],
          [
            ...[first, count, stride, wy.base, size, y!.cols],
            ...[wx.base, x!.ld, lowest],
            ...[wrows.base, Number(rows !== undefined), wcols.base, Number(cols !== undefined), start],
          ],
          groups,
          8 * count,
        );
      });
    }
  },
};

/** Runs of result rows that fit a window and come from rows of x that fit one. */
function* runsOf(limits: KernelLimits, x: Matrix, y: Matrix, rows: Int32Array | undefined) {
  const capacity = windowCapacity(limits, x.dtype);
  const most = Math.max(1, Math.floor(capacity / Math.max(y.cols, 1)));
  const span = Math.max(1, Math.floor(capacity / Math.max(x.ld, 1)));
  for (let start = 0; start < y.rows; ) {
    let lowest = rows ? rows[start]! : start;
    let highest = lowest;
    let end = start + 1;
    for (; end < y.rows && end - start < most; end++) {
      const row = rows ? rows[end]! : end;
      if (Math.max(highest, row) - Math.min(lowest, row) >= span) break;
      lowest = Math.min(lowest, row);
      highest = Math.max(highest, row);
    }
    yield { start, size: end - start, lowest, highest };
    start = end;
  }
}
