import type { BundleInput, FittedStep } from '../../bundle/contents.ts';
import type { Json } from '../../data/json.ts';
import type { DecoderOutput } from '../decoder.ts';
import type { RidgeForm } from './types.ts';

/** A fitted ridge decoder as plain values: predictions are z W + targetMean, z the standardised (lagged) voxels. */
export interface RidgeModel {
  readonly input: BundleInput;
  readonly output: DecoderOutput;
  /** Volumes whose voxels stand beside each other, in volumes; [0] for betas. */
  readonly lags: readonly number[];
  /** [lags x v], subtracted; zeros where voxels were not centred. */
  readonly voxelMean: Float32Array;
  /** [lags x v], divided by; ones where voxels were not standardised, 0 for voxels without variance, which are ignored. */
  readonly voxelStd: Float32Array;
  /** `primal`: `weights` are those of voxels, [lags x v, t]; `dual`: of training trials, [n, t]. */
  readonly storage: RidgeForm;
  readonly weights: Float32Array | Float64Array;
  /** Standardised training voxels [n, lags x v]; dual only. */
  readonly trainingVoxels: Float32Array | undefined;
  /** [t] */
  readonly targetMean: Float32Array;
  /** Penalty of each target, [t]. */
  readonly alphas: Float64Array;
  readonly config: RidgeConfig;
  readonly report: { readonly [key: string]: Json };
  readonly warnings: readonly string[];
  readonly ledger: readonly FittedStep[];
}

/** Settings of the fit that shaped the model. */
export interface RidgeConfig {
  readonly intercept: boolean;
  readonly standardize: boolean;
}
