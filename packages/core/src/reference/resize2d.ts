import type { Resize2dAttributes } from '../ops/resize2d.ts';
import { resizeTaps } from '../ops/resize2d_taps.ts';
import type { ReferenceKernel } from './kernel.ts';

export const resize2d: ReferenceKernel<Resize2dAttributes> = (
  [x],
  [y],
  { height, width, mode, antialias },
) => {
  const [h = 0, w = 0] = x!.shape.slice(-2);
  const rows = resizeTaps(h, height, mode, antialias);
  const cols = resizeTaps(w, width, mode, antialias);
  for (let index = 0; index < y!.data.length; index++) {
    const picture = Math.floor(index / (height * width));
    const [i, j] = [Math.floor(index / width) % height, index % width];
    let sum = 0;
    for (let p = 0; p < rows.count; p++) {
      for (let q = 0; q < cols.count; q++) {
        const weight = rows.weights[i * rows.count + p]! * cols.weights[j * cols.count + q]!;
        // A tap of weight 0 is none: what is there may be NaN.
        if (weight === 0) continue;
        sum += weight * x!.data[(picture * h + rows.first[i]! + p) * w + cols.first[j]! + q]!;
      }
    }
    y!.data[index] = sum;
  }
};
