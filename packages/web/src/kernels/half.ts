import type { DType } from '@fmri2image/core';

/** Types that weights are stored in, and their numbers in half.wgsl. */
export const STORED = { f32: 0, f16: 1, bf16: 2 } as const satisfies Partial<Record<DType, number>>;
export type StoredType = keyof typeof STORED;
export const STORED_TYPES = Object.keys(STORED) as readonly StoredType[];
