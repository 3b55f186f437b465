import { Picture, type Rows, type Study, takeRows } from '@fmri2image/core';
import type { ResultItem } from './results.ts';

const GAP = 6;
/** Grey of a line around each picture: where a picture is white at its edge, it would not end otherwise. */
const FRAME = 0.6;
/** Pictures of an overview, at most. */
const COLUMNS = 12;
/** Width of a picture in an overview, about, in pixels. */
const CELL = 96;

/**
 * Pictures side by side: one column a stimulus, one row a kind (shown, reconstructed, ...), each pixel enlarged.
 *
 * @param rows [count, height, width] or [count, height, width, 3], 0 to 1, all of one shape
 * @param columns which pictures to show
 */
export function contactSheet(rows: readonly Rows[], columns: readonly number[]): Picture {
  const [, height = 0, width = 0, channels = 1] = rows[0]!.shape;
  const enlarge = Math.max(1, Math.round(CELL / width));
  const cell = [height * enlarge + GAP, width * enlarge + GAP] as const;
  const sheetHeight = rows.length * cell[0] + GAP;
  const sheetWidth = columns.length * cell[1] + GAP;
  const data = new Float32Array(sheetHeight * sheetWidth * channels).fill(1);
  for (const [r, row] of rows.entries()) {
    for (const [c, index] of columns.entries()) {
      for (let y = -1; y <= height * enlarge; y++) {
        const from = ((GAP + r * cell[0] + y) * sheetWidth + GAP + c * cell[1] - 1) * channels;
        data.fill(FRAME, from, from + (width * enlarge + 2) * channels);
      }
      for (let y = 0; y < height * enlarge; y++) {
        for (let x = 0; x < width * enlarge; x++) {
          const from = (index * height + Math.floor(y / enlarge)) * width + Math.floor(x / enlarge);
          const to = (GAP + r * cell[0] + y) * sheetWidth + GAP + c * cell[1] + x;
          for (let channel = 0; channel < channels; channel++) {
            data[to * channels + channel] = Math.min(1, Math.max(0, row.data[from * channels + channel]!));
          }
        }
      }
    }
  }
  return new Picture(data, [sheetHeight, sheetWidth, channels], [0, 1]);
}

/** An overview of reconstructions below what was shown; undefined where there are no pictures. */
export function sheetOf(study: Study, items: readonly ResultItem[], values: Rows): Picture | undefined {
  if (study.stimuli?.kind !== 'pictures') return undefined;
  const scored = new Set(study.scored);
  const known = items.flatMap((item, i) =>
    item.stimulus !== undefined && scored.has(item.trials[0]!) ? [i] : [],
  );
  if (known.length === 0) return undefined;
  const shown = takeRows(
    study.stimuli.values,
    items.map((item) => item.stimulus ?? 0),
  );
  return contactSheet([shown, values], evenly(known));
}

/** So many of a list that they fit an overview, from all over it. */
export function evenly(list: readonly number[]): number[] {
  const count = Math.min(COLUMNS, list.length);
  return Array.from({ length: count }, (_, i) => list[Math.floor((i * list.length) / count)]!);
}
