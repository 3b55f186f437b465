import type { Backend } from '../../backend.ts';
import type { OpenedWeights } from '../../bundle/open.ts';
import { PRIOR_OPS, Prior, priorActivations } from '../../diffusion/prior.ts';
import { drawPrior } from '../../diffusion/sample.ts';
import type { ResidentNetwork } from '../../nn/network.ts';
import type { MatchedWeights } from '../../weights/match.ts';
import { mindeye1, mindeye1LowLevel } from '../../weights/schemas/index.ts';
import type { ConvertedOptions } from '../converted.ts';
import {
  ConvertedDecoder,
  type ConvertedModel,
  type NamedTensors,
  type SampleOptions,
} from '../convertedDecoder.ts';
import { chosenStage, loadConverted } from '../loadConverted.ts';
import { lowLevelLatent, lowLevelMaps, priorTokens, retrievalTokens, voxelsToTokens } from './network.ts';

/**
 * How far MindEye1 goes. `tokens`: tokens of the residual network, and the retrieval embedding. `prior`: tokens drawn from
 * the diffusion prior, with both of those.
 */
export const MINDEYE1_STAGES = ['tokens', 'prior'] as const;
export type MindEye1Stage = (typeof MINDEYE1_STAGES)[number];

/** Rows of betas that go through a network at once. */
const ROWS_AT_ONCE = 16;
/** Height and width of the low-level branch's latent. */
const LATENT_SIDE = 64;
/** Published: DDPM through all timesteps. */
const TIMESTEPS = 100;

/**
 * MindEye1 (Scotti et al. 2023, arXiv:2305.18274) out of a converted checkpoint: voxels of one subject to tokens of CLIP
 * ViT-L/14, a retrieval embedding, and samples of the diffusion prior. Stages: {@link MINDEYE1_STAGES}. Over repeats,
 * responses are averaged, as the published evaluation does.
 *
 * @throws INVALID_ARGUMENT for a stage, precision or subject that there is not; UNSUPPORTED for a stage that the checkpoint
 *   has no weights of; OUT_OF_MEMORY, before anything is loaded; FORMAT, IO, CANCELLED
 */
export async function openMindEye1(
  opened: Pick<OpenedWeights, 'weights' | 'warnings'>,
  file: string,
  backend: Backend,
  options: ConvertedOptions = {},
): Promise<ConvertedDecoder> {
  const needs = (matched: MatchedWeights) => {
    const stage = chosenStage(
      options.stage,
      MINDEYE1_STAGES,
      file,
      (each) => each === 'tokens' || matched.groups.has('prior'),
    );
    const wanted = (name: string) => stage === 'prior' || name.startsWith('voxel2clip.');
    return { wanted, activations: activationBytes(matched, stage) };
  };
  const { network, matched, warnings } = await loadConverted(opened, mindeye1, needs, file, backend, options);
  try {
    const prior = network.has('net.learned_query') ? await Prior.open(network.under('net.')) : undefined;
    return new ConvertedDecoder('mindeye1', modelOf(network, matched, prior), warnings, file);
  } catch (error) {
    network.dispose();
    throw error;
  }
}

function modelOf(
  network: ResidentNetwork,
  { extents }: MatchedWeights,
  prior: Prior | undefined,
): ConvertedModel {
  const { backend } = network;
  const shape = [extents.get('tokens')!, extents.get('clip')!] as const;
  const voxel2clip = network.under('voxel2clip.');
  const sample = prior && {
    name: 'prior',
    draw: async ({ tokens }: NamedTensors, { item, ...options }: SampleOptions) => {
      const sampled = await drawPrior(prior, tokens!, { ...options, items: [item], timesteps: TIMESTEPS });
      try {
        return backend.scope(() => priorTokens(sampled, options));
      } finally {
        sampled.dispose();
      }
    },
  };
  return {
    backend,
    voxels: extents.get('voxels')!,
    output: { kind: 'features', shape, name: 'CLIP L tokens' },
    averages: 'responses',
    rowsAtOnce: ROWS_AT_ONCE,
    ops: ['linear', 'layer_norm', 'elementwise', ...(prior ? PRIOR_OPS : [])],
    outputs(x, options) {
      const tokens = voxelsToTokens(voxel2clip, x, options).reshape(x.shape[0]!, ...shape);
      return { tokens, retrieval: retrievalTokens(voxel2clip, tokens, options) };
    },
    sample,
    dispose() {
      prior?.dispose();
      network.dispose();
    },
  };
}

function activationBytes({ extents }: MatchedWeights, stage: MindEye1Stage): number {
  const of = (symbol: string) => extents.get(symbol) ?? 0;
  const [tokens, dim] = [of('tokens'), of('clip')];
  // Of a row: responses, hidden units of a few blocks, tokens and the projector's steps.
  const row = of('voxels') + 16 * of('h') + tokens * (4 * dim + 6 * of('projected'));
  return 4 * (ROWS_AT_ONCE * row + (stage === 'prior' ? priorActivations(extents) : 0));
}

/**
 * MindEye1's low-level branch out of a converted checkpoint: voxels to a latent [4, 64, 64] of Stable Diffusion's
 * autoencoder. Its one stage is `blurry`. Over repeats, responses are averaged.
 *
 * @throws as {@link openMindEye1}
 */
export async function openMindEye1LowLevel(
  opened: Pick<OpenedWeights, 'weights' | 'warnings'>,
  file: string,
  backend: Backend,
  options: ConvertedOptions = {},
): Promise<ConvertedDecoder> {
  chosenStage(options.stage, ['blurry'], file);
  const needs = ({ extents }: MatchedWeights) => {
    const of = (symbol: string) => extents.get(symbol) ?? 0;
    const row = of('voxels') + 16 * of('h') + 16 * of('middle') * LATENT_SIDE ** 2;
    // The maps are compared in training alone.
    return {
      wanted: (name: string) => !name.startsWith('maps_projector.'),
      activations: 4 * ROWS_AT_ONCE * row,
    };
  };
  const loaded = await loadConverted(opened, mindeye1LowLevel, needs, file, backend, options);
  const { network, matched, warnings } = loaded;
  const model: ConvertedModel = {
    backend,
    voxels: matched.extents.get('voxels')!,
    output: {
      kind: 'features',
      shape: [matched.extents.get('latent')!, LATENT_SIDE, LATENT_SIDE],
      name: 'Stable Diffusion latent',
    },
    averages: 'responses',
    rowsAtOnce: ROWS_AT_ONCE,
    ops: ['linear', 'layer_norm', 'group_norm', 'conv2d', 'attention', 'permute', 'upsample_nearest'],
    outputs: (x, each) => ({ latent: lowLevelLatent(network, lowLevelMaps(network, x, each), each) }),
    dispose: () => network.dispose(),
  };
  return new ConvertedDecoder('mindeye1-low-level', model, warnings, file);
}
