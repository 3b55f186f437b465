import type { RotaryAttributes } from '../ops/rotary.ts';
import { sizeOf } from '../tensor.ts';
import { colsOf, type ReferenceKernel } from './kernel.ts';

export const rotary: ReferenceKernel<RotaryAttributes> = ([x, cos, sin], [y], { positionAxis }) => {
  const dim = x!.shape.at(-1)!;
  const pairs = colsOf(cos!);
  const positions = x!.shape.at(-positionAxis)!;
  // Rows of one position: the heads, where they stand inside.
  const inner = sizeOf(x!.shape.slice(x!.shape.length - positionAxis + 1, -1));
  for (let index = 0; index < x!.data.length; index++) {
    const [row, c] = [Math.floor(index / dim), index % dim];
    const pair = c >> 1;
    if (pair >= pairs) {
      y!.data[index] = x!.data[index]!;
      continue;
    }
    const entry = (Math.floor(row / inner) % positions) * pairs + pair;
    const partner = c % 2 === 0 ? -x!.data[index + 1]! : x!.data[index - 1]!;
    y!.data[index] = x!.data[index]! * cos!.data[entry]! + partner * sin!.data[entry]!;
  }
};
