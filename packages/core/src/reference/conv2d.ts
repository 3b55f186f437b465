import type { Conv2dAttributes } from '../ops/conv2d.ts';
import { activate } from './activation.ts';
import type { ReferenceKernel } from './kernel.ts';

export const conv2d: ReferenceKernel<Conv2dAttributes> = ([x, w, bias, residual], [y], attributes) => {
  const { stride, top, left, groups, activation } = attributes;
  const [, channels = 0, height = 0, width = 0] = x!.shape;
  const [, taken = 0, kh = 0, kw = 0] = w!.shape;
  const [batch = 0, outputs = 0, rows = 0, cols = 0] = y!.shape;
  const plane = (b: number, c: number) => (b * channels + c) * height * width;
  let index = 0;
  for (let b = 0; b < batch; b++) {
    for (let o = 0; o < outputs; o++) {
      const firstChannel = Math.floor(o / (outputs / groups)) * taken;
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < cols; j++, index++) {
          let sum = bias ? bias.data[o]! : 0;
          for (let c = 0; c < taken; c++) {
            for (let p = 0; p < kh; p++) {
              for (let q = 0; q < kw; q++) {
                const [from, at] = [i * stride + p - top, j * stride + q - left];
                if (from < 0 || from >= height || at < 0 || at >= width) continue;
                const pixel = x!.data[plane(b, firstChannel + c) + from * width + at]!;
                sum += w!.data[((o * taken + c) * kh + p) * kw + q]! * pixel;
              }
            }
          }
          y!.data[index] = activate(activation, sum) + (residual ? residual.data[index]! : 0);
        }
      }
    }
  }
};
