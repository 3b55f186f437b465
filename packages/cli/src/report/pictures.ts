import { Picture, type Rows, resizePicture } from '@fmri2image/core';

/** Longest side of a picture in the page, in pixels; larger ones are shrunk. */
const LONGEST_SIDE = 160;

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
const LINE = 2;
/** Width of a frame of a film strip, about, in pixels. */
const FRAME = 36;

/**
 * Frames of one run side by side as time goes by: what was shown above what was reconstructed, a line below those that
 * are scored.
 *
 * @param rows one or two stacks of pictures of one shape, [n, height, width, ...]
 * @param marked frames with a line below
 */
export function filmStrip(rows: readonly Rows[], marked: readonly boolean[]): Picture {
  const [count = 0, height = 0, width = 0, channels = 1] = rows[0]!.shape;
  const enlarge = Math.max(1, Math.round(FRAME / width));
  const shrink = Math.min(1, FRAME / width);
  const cell = {
    width: Math.max(1, Math.round(width * enlarge * shrink)),
    height: Math.max(1, Math.round(height * enlarge * shrink)),
  };
  const sheetWidth = count * (cell.width + GAP) - GAP;
  const sheetHeight = rows.length * (cell.height + GAP) + LINE;
  // Mid grey between the frames: it is seen beside black and white.
  const data = new Float32Array(sheetHeight * sheetWidth * channels).fill(0.5);
  for (let frame = 0; frame < count; frame++) {
    const left = frame * (cell.width + GAP);
    for (const [r, row] of rows.entries()) {
      const picture = pictureOf(row, frame);
      const small = shrink < 1 ? resized(picture, shrink) : picture;
      for (let y = 0; y < cell.height; y++) {
        for (let x = 0; x < cell.width; x++) {
          const [fromY, fromX] = [Math.floor(y / enlarge), Math.floor(x / enlarge)];
          const from = Math.min(small.height - 1, fromY) * small.width + Math.min(small.width - 1, fromX);
          const to = (r * (cell.height + GAP) + y) * sheetWidth + left + x;
          for (let c = 0; c < channels; c++) {
            data[to * channels + c] = small.data[from * channels + c]!;
          }
        }
      }
    }
    const ink = marked[frame] ? 1 : 0.5;
    for (let y = sheetHeight - LINE; y < sheetHeight; y++) {
      const start = (y * sheetWidth + left) * channels;
      data.fill(ink, start, start + cell.width * channels);
    }
  }
  return new Picture(data, [sheetHeight, sheetWidth, channels], [0, 1]);
}
