import type { BundleInput, FittedStep } from '../../bundle/contents.ts';
import type { Json } from '../../data/json.ts';
import type { DecoderOutput } from '../decoder.ts';
import type { Regularisation } from './choose.ts';
import type { HrfCurve, VisualExtent } from './fields.ts';
import type { Hrf } from './hrf.ts';
import type { InversionSettings } from './inversion.ts';
import type { PrfModel } from './prf.ts';

/** A fitted retinotopic decoder as plain values; docs/retinotopic.md says how it predicts. */
export interface RetinotopicModel {
  readonly input: BundleInput & { readonly repetitionTime: number };
  readonly output: Extract<DecoderOutput, { kind: 'picture' }>;
  readonly visual: VisualExtent;
  /** Columns of the betas that are used, [s], ascending. */
  readonly voxel: Int32Array;
  /** Parameters of their fields [s, parameters], as PRF_PARAMETERS lists them. */
  readonly theta: Float64Array;
  /** [s] */
  readonly amplitude: Float32Array;
  /** Response to nothing, [s]. */
  readonly baseline: Float32Array;
  /** Of response and prediction over the training volumes, [s]. */
  readonly correlation: Float32Array;
  /** Response of a volume to the frame k volumes before it, [k]. */
  readonly kernel: Float64Array;
  readonly curve: HrfCurve;
  /** Σ⁻¹ W [s, pixels] and Wᵀ Σ⁻¹ W [pixels, pixels]. */
  readonly projection: Float32Array;
  readonly gram: Float32Array;
  readonly config: RetinotopicConfig;
  readonly report: { readonly [key: string]: Json };
  readonly warnings: readonly string[];
  readonly ledger: readonly FittedStep[];
}

/** Settings that shaped the model, choices made. */
export interface RetinotopicConfig extends Regularisation, InversionSettings {
  readonly prf: PrfModel;
  readonly hrf: Hrf;
  readonly acquisition: number;
  readonly guardSeconds: number;
  readonly signed: boolean;
  readonly threshold: number;
}
