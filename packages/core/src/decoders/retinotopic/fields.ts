/** Edges of the pictures in the visual field; `top` lies above `bottom`, whichever number is larger. */
export interface Extent {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Where the pictures were shown. */
export interface VisualExtent {
  /** Degrees of visual angle (x to the right, y up), or pixels of the pictures (x to the right, y down). */
  readonly unit: 'degrees' | 'pixels';
  readonly extent: Extent;
}

/** Receptive fields of the voxels that a decoder uses, for reports: entry i of each list belongs to voxel `voxel[i]`. */
export interface ReceptiveFields extends VisualExtent {
  /** Centres, in `unit`. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** Standard deviation of the Gaussian, in `unit`. */
  readonly size: Float32Array;
  /** Response to a field that is full of white, in units of the betas. */
  readonly amplitude: Float32Array;
  /** Compressive spatial summation only: exponent of the stimulus' overlap with the field. */
  readonly exponent?: Float32Array | undefined;
  /** Difference of Gaussians only: size of the surround over that of the centre, and its volume over the centre's. */
  readonly surroundSize?: Float32Array | undefined;
  readonly surroundVolume?: Float32Array | undefined;
  /** Correlation of response and prediction over the training volumes. */
  readonly correlation: Float32Array;
  /** Columns of the betas. */
  readonly voxel: Int32Array;
}

/** A haemodynamic response: to a brief event at 0, with an area of 1. */
export interface HrfCurve {
  /** Seconds after the event, evenly spaced from 0. */
  readonly times: Float32Array;
  readonly values: Float32Array;
}

/** What reports draw of a retinotopic decoder. */
export interface RetinotopicMaps {
  receptiveFields(): ReceptiveFields;
  readonly hrf: HrfCurve;
}

/** A decoder that can show where its voxels look. */
export function hasReceptiveFields<T extends object>(decoder: T): decoder is T & RetinotopicMaps {
  return 'receptiveFields' in decoder && typeof decoder.receptiveFields === 'function';
}

/** Pictures in pixels: (0, 0) is the top left corner of the first pixel. */
export function pixelExtent(height: number, width: number): VisualExtent {
  return { unit: 'pixels', extent: { left: 0, right: width, top: 0, bottom: height } };
}
