/** Values with their extents, row-major. */
export interface Recorded {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/**
 * Noise of a sampler that was recorded elsewhere: it takes the place of draws from a seed, so that a run of the original
 * program can be repeated.
 */
export interface RecordedNoise {
  /** Where each sample starts: [items, tokens, dim]. */
  readonly initial: Recorded;
  /** What each evaluation but the last adds, in the sampler's order: [evaluations, items, tokens, dim]. */
  readonly steps: Recorded;
}
