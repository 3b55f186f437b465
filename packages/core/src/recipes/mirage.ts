import type { HeadSettings, Recipe } from './recipe.ts';

const SHARED: HeadSettings = {
  roi: 'nsdgeneral',
  average: 'normalised',
  alpha: 1e5,
  intercept: true,
  unitVoxels: false,
  unitTargets: false,
  renormalise: 'stored-training',
};

/** MIRAGE, made for mental images (NSD-Imagery): five regressions with one penalty, one of them for retrieval. */
export const mirage: Recipe = {
  name: 'mirage',
  title: 'MIRAGE',
  paper: 'Kneeland et al. 2025, NSD-Imagery',
  repository: 'github.com/MedARC-AI/MindEye_Imagery',
  split: 'mindeye2-new-test',
  normalisation: 'mindeye2',
  testAverage: 'normalised',
  precision: 'auto',
  heads: [
    { name: 'image', what: 'CLIP ViT-L/14 vision: the image embedding', shape: [1, 768], ...SHARED },
    { name: 'text', what: 'OpenCLIP ViT-bigG/14 text: 77 tokens', shape: [77, 1280], ...SHARED },
    {
      name: 'vdvae',
      what: 'VDVAE (ImageNet 64): latents of its first 31 layers',
      shape: [91_168],
      ...SHARED,
    },
    {
      name: 'git',
      what: 'GIT-large: visual tokens that captions are made of',
      shape: [257, 1024],
      ...SHARED,
    },
    {
      name: 'retrieval',
      what: 'CLIP ViT-L/14 vision: hidden tokens, each of length 1',
      shape: [257, 1024],
      ...SHARED,
      unitVoxels: true,
      unitTargets: true,
      renormalise: 'none',
    },
  ],
  quirks: [
    {
      what: 'the original renormalises predictions by the mean and spread of the test predictions themselves; the default takes those of the training predictions',
      option: '--renormalise test-predictions',
      setting: 'renormalise',
    },
    {
      what: 'the head for retrieval divides each row of voxels, and each token of its targets, by its Euclidean norm: with alpha 1e5 its predictions are tiny, and only their direction (cosine) means something',
      option: '--recipe custom',
      heads: ['retrieval'],
    },
    { what: 'one penalty for all heads, stated and not chosen', option: '--alphas', setting: 'alphas' },
  ],
  inferred: [
    'training rows are averaged over repeats',
    'an intercept in every head',
    'predictions of the head for retrieval are not renormalised',
    'the split: that of MindEye2, on whose betas it was trained',
  ],
  published: {
    scores: [],
    cost: 'five fits, alpha 1e5; 300 GB of downloads for the whole system',
  },
};
