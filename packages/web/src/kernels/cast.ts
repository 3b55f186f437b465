import { type CastAttributes, type DType, F2iError } from '@fmri2image/core';
import type { Program } from '../queue/program.ts';
import bits from './bits.wgsl';
import source from './cast.wgsl';
import grid from './grid.wgsl';
import { type Kernel, linearGrid, pieces, windowCapacity, windowOn } from './kernel.ts';

type Stored = Exclude<DType, 'f64'>;

/** Numbers of the types in the shader, and their elements per word. */
const NUMBER: Record<Stored, number> = { f32: 0, f16: 1, bf16: 2, i32: 3, u8: 4 };
const PER_WORD: Record<Stored, number> = { f32: 1, f16: 2, bf16: 2, i32: 1, u8: 4 };
const types = Object.keys(NUMBER) as Stored[];

function program(from: Stored, to: Stored): Program {
  return {
    name: `cast ${from} to ${to}`,
    code: bits + grid + source,
    access: ['read', 'read_write'],
    constants: { FROM: NUMBER[from], TO: NUMBER[to] },
  };
}

const table = new Map(types.flatMap((from) => types.map((to) => [`${from} ${to}`, program(from, to)])));

export const cast: Kernel<CastAttributes> = {
  programs: () => [...table.values()],
  dtypes: types,
  refuses(_inputs, { dtype }) {
    return dtype === 'f64' ? 'WGSL has no 64-bit floats' : undefined;
  },
  encode({ inputs: [x], outputs: [y] }, encoder) {
    const chosen = table.get(`${x!.dtype} ${y!.dtype}`);
    if (!chosen) throw new F2iError('INTERNAL', `no program casts ${x!.dtype} to ${y!.dtype}`);
    const perWord = PER_WORD[y!.dtype as Stored];
    const capacity = Math.min(
      windowCapacity(encoder.limits, x!.dtype),
      windowCapacity(encoder.limits, y!.dtype),
    );
    for (const { start, size } of pieces(x!.rows * x!.cols, capacity - (capacity % 4))) {
      const wx = windowOn(x!, start, size);
      const wy = windowOn(y!, start, size);
      linearGrid(encoder.limits, Math.ceil(size / perWord), 256, (first, count, stride, groups) => {
        const params = [first, count, stride, size, wx.base, wy.base];
        encoder.dispatch(chosen, [wx, wy], params, groups, 8 * count);
      });
    }
  },
};
