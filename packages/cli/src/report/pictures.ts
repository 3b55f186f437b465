import { Picture, type Rows, resizePicture } from '@fmri2image/core';
import { enlarged } from '../pipeline/results.ts';

/** Longest side of a picture in the page, in pixels; larger ones are shrunk. */
const LONGEST_SIDE = 144;

/** A picture in the page. */
export interface Inline {
  readonly uri: string;
  readonly width: number;
  readonly height: number;
}

/** One row of [n, height, width] or [n, height, width, channels], values 0 to 1. */
export function pictureOf({ data, shape }: Rows, row: number): Picture {
  const [, height = 0, width = 0, channels = 1] = shape;
  const size = height * width * channels;
  const values = Float32Array.from(data.subarray(row * size, (row + 1) * size), clip);
  return new Picture(values, [height, width, channels], [0, 1]);
}

const clip = (value: number) => Math.min(1, Math.max(0, value));

/** As it is, or shrunk so that a page of many stays small. */
export function inlinePicture(picture: Picture): Inline {
  const { height, width } = picture;
  const shrink = Math.min(1, LONGEST_SIDE / Math.max(height, width));
  return inline(shrink === 1 ? picture : resized(picture, shrink));
}

export function inline(picture: Picture): Inline {
  const uri = `data:image/png;base64,${Buffer.from(picture.toPng()).toString('base64')}`;
  return { uri, width: picture.width, height: picture.height };
}

function resized(picture: Picture, factor: number): Picture {
  const to = {
    height: Math.max(1, Math.round(picture.height * factor)),
    width: Math.max(1, Math.round(picture.width * factor)),
    channels: picture.channels,
  };
  const data = resizePicture(picture, to).map(clip);
  return new Picture(data, [to.height, to.width, to.channels], [0, 1]);
}

const GAP = 2;
const MARK = 2;
/** Width of a frame of a film strip, about, in pixels. */
const FRAME = 40;

/**
 * Frames side by side as time goes by: what was shown above what was reconstructed, a white mark below those that are
 * scored.
 *
 * @param rows one or two stacks of pictures of one shape, [n, height, width, ...]
 * @param marked frames with a mark below
 */
export function filmStrip(rows: readonly Rows[], marked: readonly boolean[]): Picture {
  const [count = 0, height = 0, width = 0, channels = 1] = rows[0]!.shape;
  const factor = width > FRAME ? FRAME / width : Math.max(1, Math.round(FRAME / width));
  const cell = { width: Math.round(width * factor), height: Math.max(1, Math.round(height * factor)) };
  const sheet = {
    width: count * (cell.width + GAP) - GAP,
    height: rows.length * (cell.height + GAP) + MARK + GAP,
  };
  // Mid grey between the frames: both black and white stand out from it.
  const data = new Float32Array(sheet.height * sheet.width * channels).fill(0.5);
  const fill = (top: number, left: number, size: { height: number; width: number }, value: Value) => {
    for (let y = 0; y < size.height; y++) {
      for (let x = 0; x < size.width; x++) {
        const at = ((top + y) * sheet.width + left + x) * channels;
        for (let c = 0; c < channels; c++) data[at + c] = value(y, x, c);
      }
    }
  };
  for (let frame = 0; frame < count; frame++) {
    const left = frame * (cell.width + GAP);
    for (const [r, row] of rows.entries()) {
      const picture = pictureOf(row, frame);
      const scaled = factor < 1 ? resized(picture, factor) : enlarged(picture, factor);
      const value = (y: number, x: number, c: number) => scaled.data[(y * scaled.width + x) * channels + c]!;
      fill(r * (cell.height + GAP), left, cell, value);
    }
    if (marked[frame]) fill(sheet.height - MARK - GAP, left, { height: MARK, width: cell.width }, () => 1);
  }
  return new Picture(data, [sheet.height, sheet.width, channels], [0, 1]);
}

type Value = (y: number, x: number, channel: number) => number;
