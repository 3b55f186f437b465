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

/** Sweeps over all pairs: nine are common, clusters of eigenvalues ask for twenty. The host stops when told. */
const MAX_SWEEPS = 40;
/** Beyond it the rotations, of order n cubed a sweep and bound by memory, take minutes. */
const LARGEST = 4096;

const SHARED = ['read_write', 'read_write', 'read_write', 'read_write'] as const;
const BEGIN = { code: bits + common + beginSource, access: [...SHARED, 'read'] } as const;
const TURN = { code: status + common + source, access: [...SHARED, 'read_write'], status: true } as const;
const END = { code: common + endSource, access: [...SHARED, 'read_write', 'read_write'] } as const;

function program(stage: Omit<Program, 'name' | 'entry'>, entry: string): Program {
  return { ...stage, name: `eigh ${entry}`, entry };
}

const scan = program(BEGIN, 'scan');
const setScale = program(BEGIN, 'set_scale');
const fill = program(BEGIN, 'fill');
const squareRows = program(BEGIN, 'square_rows');
const setThreshold = program(BEGIN, 'set_threshold');
const choose = program(TURN, 'choose');
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
    const work = whole(encoder.scratch(n, n));
    const v = whole(encoder.scratch(n, n));
    const turns = whole(encoder.scratch(pairs, 4));
    const wa = whole(a!);
    const [wvalues, wvectors] = [whole(values!), whole(vectors!)];
    const { limits } = encoder;
    const bases = [wa.base, wvalues.base, wvectors.base];
    const shared = [state, rows, work, v];
    const over = (step: Program, others: readonly Window[], extent: Extent, round = 0) =>
      dispatches(limits, extent, (x, y, groups, cost) => ({
        program: step,
        windows: [...shared, ...others],
        params: [n, round, x, y, ...bases],
        groups,
        cost,
      }));
    const everything = [...shared, turns, wa, wvalues, wvectors];
    // Made while the queue moves on: there are thousands, and the caller should not wait for them.
    encoder.series(everything, function* (progress) {
      yield* over(scan, [wa], { x: n });
      yield* over(setScale, [wa], {});
      yield* over(fill, [wa], { x: n, y: n });
      yield* over(squareRows, [wa], { x: n });
      yield* over(setThreshold, [wa], {});
      for (let sweep = 0; sweep < MAX_SWEEPS && progress() === 0; sweep++) {
        for (let round = 0; round < 2 * pairs - 1; round++) {
          yield* over(choose, [turns], { x: pairs }, round);
          yield* over(rotate, [turns], { x: n, y: pairs, z: 2 }, round);
        }
        yield* over(judge, [turns], {});
      }
      yield* over(conclude, [turns], {});
      yield* over(order, [wvalues, wvectors], { x: n });
      yield* over(emit, [wvalues, wvectors], { x: n, y: n });
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
