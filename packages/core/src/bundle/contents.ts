import type { Json } from '../data/json.ts';
import type { NdArray } from '../data/ndarray.ts';
import type { DecoderOutput } from '../decoders/decoder.ts';

export type SawTest = 'yes' | 'no' | 'unknown';

/** One fitted step, as the ledger records it. */
export interface FittedStep {
  /** What was fitted: `voxel mean and standard deviation`, `ridge penalty`, ... */
  readonly step: string;
  /** Runs (or sweeps, sessions) whose trials it was fitted on. */
  readonly runs: readonly string[];
  /** Were trials among them that results are reported on? Imported betas are `unknown`. */
  readonly sawTest: SawTest;
  readonly note?: string | undefined;
}

/** What the decoder reads: which voxels, prepared how. */
export interface BundleInput {
  /** Values of one row of betas: voxels, or voxels times the delays at which the preparation reads them. */
  readonly voxels: number;
  /** How those voxels were selected, for people. */
  readonly selection?: string | undefined;
  /** SHA-256 (64 hex digits) of the mask or index list that selected them. */
  readonly selectionSha256?: string | undefined;
  /** Repetition time in seconds, where rows are volumes. */
  readonly repetitionTime?: number | undefined;
  /** Preprocessing that the betas must have gone through, in order, with its settings. */
  readonly preprocess?: readonly { readonly name: string; readonly settings: Json }[] | undefined;
}

/** A fitted decoder in parts that a bundle can hold. */
export interface BundleContents {
  /** Kind of decoder: `ridge`. */
  readonly kind: string;
  readonly input: BundleInput;
  readonly output: DecoderOutput;
  /** Settings of the kind; checked by it when it is opened. */
  readonly config: { readonly [key: string]: Json };
  /** What the fit said of itself, for reports. */
  readonly report: { readonly [key: string]: Json };
  readonly ledger: readonly FittedStep[];
  readonly seed: number;
  /** True if responses of training trials can be read out of the weights. */
  readonly containsTrainingData: boolean;
  readonly tensors: readonly BundleTensor[];
}

export interface BundleTensor extends NdArray {
  readonly name: string;
  /** Meaning, axes and units, for other readers. */
  readonly meaning: string;
}
