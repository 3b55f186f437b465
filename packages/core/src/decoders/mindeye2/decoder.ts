import type { Backend } from '../../backend.ts';
import type { OpenedWeights } from '../../bundle/open.ts';
import { PRIOR_OPS } from '../../diffusion/prior.ts';
import { drawPrior } from '../../diffusion/sample.ts';
import { matchWeights } from '../../weights/match.ts';
import { mindeye2 } from '../../weights/schemas/index.ts';
import type { ConvertedOptions } from '../converted.ts';
import { ConvertedDecoder, type ConvertedModel } from '../convertedDecoder.ts';
import { checkMemory } from '../memory.ts';
import { precisionOf } from '../precision.ts';
import { MindEye2Model } from './model.ts';
import { checkStage, memoryNeeded, outputOf, ROWS_AT_ONCE, sizesOf } from './stages.ts';

/** Stems of the ops of every stage, and of the branch of blurry pictures: those worth compiling ahead. */
const OPS = ['linear', 'layer_norm', 'permute'];
const BLURRY_OPS = ['group_norm', 'conv2d', 'attention', 'upsample_nearest'];

/**
 * MindEye2 (Scotti et al. 2024, arXiv:2403.11207) out of a converted checkpoint: voxels of one subject to tokens of
 * OpenCLIP bigG, a retrieval embedding, the latent of a blurry picture, and samples of the diffusion prior.
 *
 * Stages: `tokens` gives the backbone's tokens, `beside.retrieval`; `blurry` the latent [4, 28, 28]; `prior` a sample of
 * the prior, `beside.tokens`, `beside.retrieval` and, where the model has that branch, `beside.latent`. Outputs of repeats
 * are averaged, not responses, as the published evaluation does.
 *
 * @throws INVALID_ARGUMENT for a stage, precision or subject that there is not; UNSUPPORTED for a stage that the
 *   checkpoint has no weights of; OUT_OF_MEMORY, before anything is loaded, with what is needed and what there is;
 *   FORMAT, IO, CANCELLED
 */
export async function openMindEye2(
  { weights, warnings }: Pick<OpenedWeights, 'weights' | 'warnings'>,
  file: string,
  backend: Backend,
  options: ConvertedOptions,
): Promise<ConvertedDecoder> {
  const { signal, onProgress, memory = {} } = options;
  const { dtype, arithmetic, warnings: emulated } = precisionOf(options.precision);
  const matched = matchWeights(weights, mindeye2);
  const sizes = sizesOf(matched, options.subject);
  const stage = checkStage(options.stage, sizes, file);
  const remedy = 'f16 and bf16 take half of f32, and the stage blurry the least';
  checkMemory(memoryNeeded(matched, stage, sizes, dtype), memory, backend, { file, remedy });
  const settings = { precision: dtype, arithmetic, signal, onProgress };
  const model = await MindEye2Model.load(weights, matched, backend, { sizes, stage }, settings);
  return new ConvertedDecoder('mindeye2', convertedModel(model), [...warnings, ...emulated], file);
}

function convertedModel(model: MindEye2Model): ConvertedModel {
  const { backend, sizes, stage, prior } = model;
  return {
    backend,
    voxels: sizes.positions * sizes.voxels,
    output: outputOf(stage, sizes),
    averages: 'outputs',
    rowsAtOnce: ROWS_AT_ONCE,
    ops: [...OPS, ...(stage === 'tokens' ? [] : BLURRY_OPS), ...(prior ? PRIOR_OPS : [])],
    outputs: (x, options) => ({ ...model.outputs(x, options) }),
    sample: prior && {
      name: 'prior',
      draw: ({ tokens }, { item, ...options }) => drawPrior(prior, tokens!, { ...options, items: [item] }),
    },
    dispose: () => model.dispose(),
  };
}
