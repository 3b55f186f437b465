import type { OpOptions } from '../../ops/index.ts';

/** `primal` solves p x p equations (voxels), `dual` n x n ones (trials); both give the same predictions. */
export type RidgeForm = 'primal' | 'dual';

/** Training rows and held-out rows of one cross-validation fold. */
export interface Fold {
  readonly train: ArrayLike<number>;
  readonly test: ArrayLike<number>;
}

export type RidgePhase = 'prepare' | 'cross-validate' | 'solve';

export interface RidgeProgress {
  readonly phase: RidgePhase;
  /** Steps done of `total` in this phase. */
  readonly done: number;
  readonly total: number;
}

/** What every step of a fit takes. */
export interface StepOptions extends OpOptions {
  onProgress?: ((progress: RidgeProgress) => void) | undefined;
  /** Bytes of one uploaded block of targets; a fixed number, so that results do not depend on free memory. */
  blockBytes?: number | undefined;
}
