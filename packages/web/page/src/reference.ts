import type { BundleModel } from '@fmri2image/core';

/** Bundles with more bytes of weights are refused on the reference backend: it holds them as float64, in JavaScript. */
export const REFERENCE_LIMIT_BYTES = 64e6;

/** Multiplications and additions a second of plain loops in JavaScript; a modest machine. */
const OPERATIONS_PER_SECOND = 1e8;

export interface ReferenceEstimate {
  readonly allowed: boolean;
  /** A picture; undefined for kinds whose work the weights do not tell. */
  readonly secondsPerPicture: number | undefined;
  readonly bytes: number;
}

/** What the reference backend would take. A linear decoder touches each weight once a picture. */
export function estimateReference({ kind, files, tensors }: BundleModel): ReferenceEstimate {
  const { bytes } = files['weights.safetensors'];
  const values = Object.values(tensors).reduce(
    (sum, { shape }) => sum + shape.reduce((product, extent) => product * extent, 1),
    0,
  );
  return {
    allowed: bytes <= REFERENCE_LIMIT_BYTES,
    secondsPerPicture: kind === 'ridge' ? (2 * values) / OPERATIONS_PER_SECOND : undefined,
    bytes,
  };
}
