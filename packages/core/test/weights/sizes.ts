import type { ModelSizes } from '../../src/index.ts';

export function sizes(
  extents: Record<string, number>,
  counts: Record<string, number> = {},
  groups: readonly string[] = [],
): ModelSizes {
  return {
    extents: new Map(Object.entries(extents)),
    counts: new Map(Object.entries(counts)),
    groups: new Set(groups),
  };
}

const BLURRY = { blurChannels: 64, top: 128, middle: 64, narrow: 32, latent: 4, maps: 512, mapsOut: 512 };
const PRIOR = { buckets: 32, rotary: 16 };

export { MINDEYE2_PUBLISHED as MINDEYE2 } from '../../conformance/models.ts';
export const MINDEYE2_SMALL = sizes(
  {
    h: 1024,
    'voxels[0]': 15724,
    seq: 1,
    tokens: 256,
    clip: 1664,
    ...PRIOR,
    heads: 32,
    headDim: 52,
    inner: 6656,
    timeInner: 3328,
  },
  { subject: 1, block: 4, layer: 6 },
  ['prior'],
);
/** Published sizes (Scotti et al. 2023): subject 1, 257 tokens of 768. */
export const MINDEYE1 = sizes(
  {
    h: 4096,
    voxels: 15724,
    tokens: 257,
    clip: 768,
    projected: 2048,
    ...PRIOR,
    heads: 12,
    headDim: 64,
    inner: 3072,
    timeInner: 1536,
  },
  { block: 4, layer: 6 },
  ['prior'],
);
export const MINDEYE1_LOW_LEVEL = sizes(
  { h: 4096, voxels: 15724, ...BLURRY, top: 256, middle: 128, narrow: 64 },
  { block: 4 },
  ['maps'],
);
export const CLIP_CONVERTER = sizes({ tokens: 256, tokensOut: 257, clip: 1664, clipOut: 1024 });

/** Every size differs from every other, so that no two tensors can be mistaken. */
export const TINY_MINDEYE2 = sizes(
  {
    h: 6,
    'voxels[0]': 7,
    seq: 1,
    tokens: 3,
    clip: 8,
    blurChannels: 64,
    top: 24,
    middle: 20,
    narrow: 12,
    latent: 4,
    maps: 5,
    mapsOut: 10,
    buckets: 32,
    rotary: 16,
    heads: 2,
    headDim: 18,
    inner: 11,
    timeInner: 13,
  },
  { subject: 1, block: 2, layer: 2 },
  ['blurry', 'prior'],
);
