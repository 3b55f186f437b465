import type { HeadSettings, Recipe } from './recipe.ts';

/** What its three regressions have in common: scikit-learn's `Ridge`, one alpha, with intercept. */
const SHARED: Omit<HeadSettings, 'alpha'> = {
  roi: 'nsdgeneral',
  average: 'betas',
  intercept: true,
  unitVoxels: false,
  unitTargets: false,
  renormalise: 'stored-training',
};

/** Brain-Diffuser: betas averaged over repeats, to latents of a VDVAE and to tokens of CLIP's vision and text towers. */
export const brainDiffuser: Recipe = {
  name: 'brain-diffuser',
  title: 'Brain-Diffuser',
  paper: 'Ozcelik & VanRullen 2023, Scientific Reports 13:15666',
  repository: 'github.com/ozcelikfu/brain-diffuser',
  split: 'brain-diffuser',
  normalisation: 'brain-diffuser',
  testAverage: 'betas',
  precision: 'auto',
  heads: [
    {
      name: 'vision',
      what: 'CLIP ViT-L/14 vision: 257 tokens, projected, divided by the norm of the class token',
      shape: [257, 768],
      alpha: 6e4,
      ...SHARED,
    },
    {
      name: 'text',
      what: 'CLIP ViT-L/14 text: 77 tokens, projected, divided by the norm of the pooled one, mean over captions',
      shape: [77, 768],
      alpha: 1e5,
      ...SHARED,
    },
    {
      name: 'vdvae',
      what: 'VDVAE (ImageNet 64): latents of its first 31 layers, one sample of the posterior',
      shape: [91_168],
      alpha: 5e4,
      ...SHARED,
    },
  ],
  quirks: [
    {
      what: 'the original renormalises predictions by the mean and spread of the test predictions themselves, which a single trial does not have; the default takes those of the training predictions',
      option: '--renormalise test-predictions',
      setting: 'renormalise',
    },
    {
      what: 'responses are averaged over the repeats of a picture before the fit, which weighs pictures alike however often they were shown',
      option: '--average none,betas',
      count: { of: 'presentations of a training picture', published: '1 to 3' },
      setting: 'average',
    },
    {
      what: 'penalties are stated, not chosen: one for all tokens of a head',
      option: '--alphas',
      setting: 'alphas',
    },
    {
      what: 'voxels are z-scored by the standard deviation with divisor n - 1',
      option: '--normalisation',
      setting: 'normalisation',
    },
  ],
  inferred: [],
  published: {
    scores: [
      { name: 'PixCorr', value: 0.273 },
      { name: 'SSIM', value: 0.365 },
      { name: 'AlexNet(2)', value: 0.944 },
      { name: 'AlexNet(5)', value: 0.966 },
      { name: 'Inception', value: 0.913 },
      { name: 'CLIP', value: 0.909 },
      { name: 'image retrieval', value: 0.188 },
      { name: 'brain retrieval', value: 0.263 },
    ],
    cost: '335 fits of scikit-learn in float64, each with its own Gram matrix of 8859 rows: about 1.0 PFLOP; 11.6 GB of weights for vision in float32',
  },
};
