import { Picture } from '@fmri2image/core';

/** A row of the sheet: pictures [count, height, width], 0 to 1. */
export interface SheetRow {
  readonly data: Float32Array;
}

const GAP = 6;

/**
 * Pictures side by side, one column a stimulus, one row a kind (stimulus, reconstruction, ...), each pixel enlarged.
 *
 * @param size [height, width] of each picture
 * @param columns which pictures to show
 */
export function contactSheet(
  rows: readonly SheetRow[],
  [height, width]: readonly [number, number],
  columns: readonly number[],
  enlarge: number,
): Picture {
  const cell = [height * enlarge + GAP, width * enlarge + GAP] as const;
  const sheetWidth = columns.length * cell[1] + GAP;
  const sheetHeight = rows.length * cell[0] + GAP;
  const data = new Float32Array(sheetHeight * sheetWidth).fill(1);
  for (const [r, row] of rows.entries()) {
    for (const [c, index] of columns.entries()) {
      for (let y = 0; y < height * enlarge; y++) {
        for (let x = 0; x < width * enlarge; x++) {
          const from = (index * height + Math.floor(y / enlarge)) * width + Math.floor(x / enlarge);
          const at = (GAP + r * cell[0] + y) * sheetWidth + GAP + c * cell[1] + x;
          data[at] = Math.min(1, Math.max(0, row.data[from]!));
        }
      }
    }
  }
  return new Picture(data, [sheetHeight, sheetWidth], [0, 1]);
}
