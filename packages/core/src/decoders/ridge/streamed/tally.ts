import {
  type CholeskyFactorOptions,
  choleskyFactor,
  choleskyFactorSpec,
} from '../../../ops/cholesky_factor.ts';
import { choleskySolve, choleskySolveSpec } from '../../../ops/cholesky_solve.ts';
import { type GemmOptions, gemm, gemmSpec } from '../../../ops/gemm.ts';
import { type GramOptions, gram, gramSpec } from '../../../ops/gram.ts';
import type { OpOptions } from '../../../ops/index.ts';
import type { Tensor } from '../../../tensor.ts';

/** What a ridge has done: operations that were enqueued, and seconds in which the device waited for files. */
export class Tally {
  flops = 0;
  fileSeconds = 0;
  #busy = 0;
  #idleSince = performance.now();

  /** The device has work until the promise settles. */
  busy<T>(work: Promise<T>): Promise<T> {
    this.#busy++;
    const idle = () => {
      if (--this.#busy === 0) this.#idleSince = performance.now();
    };
    work.then(idle, idle);
    return work;
  }

  /** Reads or writes files. What the device computes meanwhile is no waiting. */
  async files<T>(work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    const result = await work();
    if (this.#busy === 0) {
      this.fileSeconds += (performance.now() - Math.max(start, this.#idleSince)) / 1000;
    }
    return result;
  }
}

/** For a promise that may fail before anyone waits for it; it still fails for those who do. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** The ops that a ridge spends its time in, counted. */
export interface CountedOps {
  gram(x: Tensor, options?: GramOptions): Tensor;
  gemm(a: Tensor, b: Tensor, options?: GemmOptions): Tensor;
  choleskyFactor(a: Tensor, options: CholeskyFactorOptions): Tensor;
  choleskySolve(l: Tensor, b: Tensor): Tensor;
}

export function countedOps(tally: Tally, options: OpOptions): CountedOps {
  return {
    gram(x, more) {
      tally.flops += gramSpec.flops([x], { columns: more?.of === 'columns', alpha: 1 });
      return gram(x, { ...options, ...more });
    },
    gemm(a, b, more) {
      const { transA = false, transB = false } = more ?? {};
      tally.flops += gemmSpec.flops([a, b], { transA, transB, alpha: 1, beta: 0 });
      return gemm(a, b, { ...options, ...more });
    },
    choleskyFactor(a, more) {
      tally.flops += choleskyFactorSpec.flops([a], { shift: 0 });
      return choleskyFactor(a, { ...options, ...more });
    },
    choleskySolve(l, b) {
      tally.flops += choleskySolveSpec.flops([l, b], {});
      return choleskySolve(l, b, options);
    },
  };
}
