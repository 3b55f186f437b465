import type { KernelLimits } from '../limits.ts';
import type { Program } from '../queue/program.ts';
import bits from './bits.wgsl';
import source from './eigh.wgsl';
import beginSource from './eigh_begin.wgsl';
import common from './eigh_common.wgsl';
import endSource from './eigh_end.wgsl';
import {
  type Dispatch,
  type Kernel,
  type Matrix,
  pieces,
  type Window,
  windowCapacity,
  windowOn,
} from './kernel.ts';
import status from './status.wgsl';

/** Sweeps over all pairs; convergence is quadratic, and in f32 reached in six to nine. */
const MAX_SWEEPS = 14;
/** Beyond it the rotations, of order n cubed a sweep and bound by memory, take minutes. */
const LARGEST = 4096;

const SHARED = ['read_write', 'read_write', 'read_write', 'read_write', 'read_write'] as const;
const BEGIN = { code: bits + common + beginSource, access: [...SHARED, 'read'] } as const;
const TURN = { code: status + common + source, access: SHARED, status: true } as const;
const END = { code: common + endSource, access: [...SHARED, 'read_write', 'read_write'] } as const;

function program(stage: Omit<Program, 'name' | 'entry'>, entry: string): Program {
  return { ...stage, name: `eigh ${entry}`, entry };
}

const scan = program(BEGIN, 'scan');
const setScale = program(BEGIN, 'set_scale');
const fill = program(BEGIN, 'fill');
const squareRows = program(BEGIN, 'square_rows');
const setThreshold = program(BEGIN, 'set_threshold');
const rotate = program(TURN, 'rotate');
const judge = program(TURN, 'judge');
const conclude = program(TURN, 'conclude');
const order = program(END, 'order');
const emit = program(END, 'emit');

export const eigh: Kernel = {
  programs: () => [scan, setScale, fill, squareRows, setThreshold, rotate, judge, conclude, order, emit],
  refuses([a], _attributes, limits) {
    const n = a!.shape[0]!;
    if (n > LARGEST) return `Jacobi in WGSL takes at most ${LARGEST} rows, not ${n}; use the cpu backend`;
    const capacity = windowCapacity(limits);
    return n * n > capacity ? `the matrix exceeds the device's bindings (${capacity} elements)` : undefined;
  },
  encode({ inputs: [a], outputs: [values, vectors] }, encoder) {
    const n = a!.rows;
    if (n === 0) return;
    const pairs = Math.ceil(n / 2);
    const whole = (x: Matrix) => windowOn(x, 0, x.rows * x.cols);
    const state = whole(encoder.scratch(1, 8));
    const rows = whole(encoder.scratch(n, 2));
    const copies = [whole(encoder.scratch(n, n)), whole(encoder.scratch(n, n))] as const;
    const v = whole(encoder.scratch(n, n));
    const wa = whole(a!);
    const [wvalues, wvectors] = [whole(values!), whole(vectors!)];
    const { limits } = encoder;
    const bases = [wa.base, wvalues.base, wvectors.base];
    /** Dispatches of a step; `from` is the current copy of the matrix. */
    const over = (step: Program, from: 0 | 1, extra: readonly Window[], extent: Extent, round = 0) =>
      dispatches(limits, extent, (x, y, groups, cost) => ({
        program: step,
        windows: [state, rows, copies[from], copies[from === 0 ? 1 : 0], v, ...extra],
        params: [n, round, x, y, ...bases],
        groups,
        cost,
      }));
    const everything = [state, rows, ...copies, v, wa, wvalues, wvectors];
    // Made while the queue moves on: there are thousands, and the caller should not wait for them.
    encoder.series(everything, function* (progress) {
      yield* over(scan, 0, [wa], { x: n });
      yield* over(setScale, 0, [wa], {});
      yield* over(fill, 0, [wa], { x: n, y: n });
      yield* over(squareRows, 0, [wa], { x: n });
      yield* over(setThreshold, 0, [wa], {});
      let current: 0 | 1 = 0;
      for (let sweep = 0; sweep < MAX_SWEEPS && progress() === 0; sweep++) {
        for (let round = 0; round < 2 * pairs - 1; round++) {
          yield* over(rotate, current, [], { x: n, y: pairs, z: 2 }, round);
          current = current === 0 ? 1 : 0;
        }
        yield* over(judge, 0, [], {}, current);
      }
      yield* over(conclude, 0, [], {});
      yield* over(order, 0, [wvalues, wvectors], { x: n });
      yield* over(emit, 0, [wvalues, wvectors], { x: n, y: n });
    });
  },
  explain([code]) {
    return code === 3
      ? { code: 'NO_CONVERGENCE', message: 'Jacobi did not converge', expected: 'a matrix of finite numbers' }
      : { code: 'NO_CONVERGENCE', message: `Jacobi did not converge in ${MAX_SWEEPS} sweeps` };
  },
};

/** Invocations along each axis; one where nothing is said. */
interface Extent {
  readonly x?: number;
  readonly y?: number;
  readonly z?: number;
}

/** Covers an extent with workgroups of 64 along x. */
function* dispatches(
  { maxWorkgroups }: KernelLimits,
  { x = 1, y = 1, z = 1 }: Extent,
  make: (x: number, y: number, groups: [number, number, number], cost: number) => Dispatch,
): Generator<Dispatch> {
  for (const rows of pieces(y, maxWorkgroups)) {
    for (const columns of pieces(x, maxWorkgroups * 64)) {
      const groups: [number, number, number] = [Math.ceil(columns.size / 64), rows.size, z];
      yield make(columns.start, rows.start, groups, 6 * rows.size * columns.size * z);
    }
  }
}
