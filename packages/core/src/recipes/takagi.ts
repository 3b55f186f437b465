import type { HeadSettings, Recipe, RecipeHead } from './recipe.ts';

/** himalaya's `RidgeCV` as it was called: five blocks of successive trials, minus the squared error, each target its own. */
const chosenFrom = (grid: readonly number[]) =>
  ({
    grid,
    folds: { count: 5, together: false },
    score: 'negativeSquaredError',
    perTarget: true,
  }) as const;

const LATENTS = chosenFrom([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]);
const FEATURES = chosenFrom([1e4, 2e4, 4e4]);

const SHARED: Omit<HeadSettings, 'roi' | 'alpha'> = {
  average: 'none',
  intercept: false,
  unitVoxels: false,
  unitTargets: false,
  renormalise: 'none',
};

/** ROIs of the "streams" atlas that the technical report decodes captions and depth from. */
const STREAMS = 'streams:early+ventral+midventral+midlateral+lateral+parietal';

/** Channels and side of the pictures that each block of VGG19 gives, and how many layers it has. */
const VGG_BLOCKS = [
  [64, 224, 2],
  [128, 112, 2],
  [256, 56, 4],
  [512, 28, 4],
  [512, 14, 4],
] as const;

const vggLayer = (layer: string, shape: readonly number[], average: HeadSettings['average']): RecipeHead => ({
  name: `vgg-${layer}`,
  what: `VGG19, layer ${layer}`,
  shape,
  ...SHARED,
  roi: STREAMS,
  alpha: FEATURES,
  average,
});

const vgg: readonly RecipeHead[] = [
  ...VGG_BLOCKS.flatMap(([channels, side, layers], block) =>
    Array.from({ length: layers }, (_, i) =>
      vggLayer(`conv${block + 1}_${i + 1}`, [channels, side, side], 'betas'),
    ),
  ),
  ...[4096, 4096, 1000].map((units, i) => vggLayer(`fc${i + 6}`, [units], 'none')),
];

const depth: readonly RecipeHead[] = [1, 2, 3, 4].map((layer) => ({
  name: `dpt${layer}`,
  what: `DPT-large: hidden state ${layer} of 4`,
  shape: [577, 1024],
  ...SHARED,
  roi: STREAMS,
  alpha: FEATURES,
}));

/** Takagi & Nishimoto: single trials to a latent of Stable Diffusion and to CLIP's text, and the targets of their report. */
export const takagi: Recipe = {
  name: 'takagi',
  title: 'Takagi & Nishimoto',
  paper: 'Takagi & Nishimoto 2023, CVPR; technical report arXiv:2306.11536',
  repository: 'github.com/yu-takagi/StableDiffusionReconstruction',
  split: 'takagi',
  normalisation: 'takagi',
  testAverage: 'betas',
  precision: 'auto',
  heads: [
    {
      name: 'z',
      what: 'Stable Diffusion 1.4: latent of the picture at 320 pixels, a scaled sample of the posterior',
      shape: [4, 40, 40],
      ...SHARED,
      roi: 'streams:early',
      alpha: LATENTS,
    },
    {
      name: 'c',
      what: 'CLIP ViT-L/14 text: 77 hidden tokens, mean over captions',
      shape: [77, 768],
      ...SHARED,
      roi: 'streams:ventral',
      alpha: LATENTS,
    },
    {
      name: 'blip',
      what: 'BLIP base: visual tokens at 240 pixels',
      shape: [226, 768],
      ...SHARED,
      roi: STREAMS,
      alpha: FEATURES,
    },
    ...vgg,
    ...depth,
  ],
  quirks: [
    {
      what: 'no intercept, though neither voxels of all rows nor targets are centred: predictions lack the mean of the targets',
      option: '--intercept',
      setting: 'intercept',
    },
    {
      what: 'the penalties for z and c (1e-6 to 1) are so small beside the number of trials that they hardly shrink: ordinary least squares, or, of fewer trials than voxels, interpolation',
      option: '--alphas',
      heads: ['z', 'c'],
      count: { of: 'training rows', published: 'some 25,000' },
      setting: 'alphas',
    },
    {
      what: 'folds are blocks of successive trials: repeats of one picture lie in several of them',
      option: '--folds-by picture',
      setting: 'foldsTogether',
    },
    {
      what: 'fitted on single trials, tested on averages',
      option: '--average betas',
      count: { of: 'presentations of a test picture', published: '3' },
      setting: 'average',
    },
  ],
  inferred: [
    'which six ROIs BLIP, VGG and DPT are decoded from: early, ventral, midventral, midlateral, lateral, parietal',
    'layers of convolutions of VGG are fitted on averaged responses, its last three on single trials',
  ],
  published: {
    scores: [
      { name: 'PixCorr', value: 0.246 },
      { name: 'SSIM', value: 0.41 },
      { name: 'AlexNet(2)', value: 0.789 },
      { name: 'AlexNet(5)', value: 0.856 },
      { name: 'Inception', value: 0.838 },
      { name: 'CLIP', value: 0.821 },
    ],
    cost: 'training targets in memory as float32: 5.5 GB for c, 16 GB for BLIP, 55 GB for each layer of DPT, 106 GB for the first of VGG',
  },
};
