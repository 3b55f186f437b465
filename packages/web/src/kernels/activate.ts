import type { FusedActivation } from '@fmri2image/core';
import source from './activate.wgsl';
import bits from './bits.wgsl';
import exponential from './exponential.wgsl';

/** `activate(kind, x)` in WGSL and what it needs; bits.wgsl and exponential.wgsl are in it. */
export const activateSource = bits + exponential + source;

/** Numbers of the kinds in the shader. */
export const ACTIVATION_NUMBER: Readonly<Record<FusedActivation, number>> = {
  none: 0,
  relu: 1,
  silu: 2,
  gelu_erf: 3,
  gelu_tanh: 4,
  gelu_quick: 5,
};
