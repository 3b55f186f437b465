import { priorActivations } from '../../diffusion/prior.ts';
import { F2iError } from '../../error.ts';
import { networkBytes } from '../../nn/loadNetwork.ts';
import type { MatchedWeights } from '../../weights/match.ts';
import type { WeightType } from '../../weights/round.ts';
import type { ModelSizes } from '../../weights/schema.ts';
import type { DecoderOutput } from '../decoder.ts';
import { chosenStage } from '../loadConverted.ts';
import type { MemoryNeeded } from '../memory.ts';

/**
 * How far the model goes. `tokens`: tokens of the backbone, and the retrieval embedding. `blurry`: the latent of a blurry
 * picture. `prior`: tokens drawn from the diffusion prior, with all of the others.
 */
export const MINDEYE2_STAGES = ['tokens', 'blurry', 'prior'] as const;
export type MindEye2Stage = (typeof MINDEYE2_STAGES)[number];

/** Rows of betas that go through the model at once: the output layer is read once for all of them. */
export const ROWS_AT_ONCE = 16;

/** Sizes of a model of one subject, by their meaning. */
export interface MindEye2Sizes {
  readonly subject: number;
  readonly voxels: number;
  /** Values of one row of betas for each voxel; 1 in the published models. */
  readonly positions: number;
  readonly hidden: number;
  readonly blocks: number;
  readonly tokens: number;
  readonly dim: number;
  readonly hasBlurry: boolean;
  readonly hasPrior: boolean;
}

/** @throws INVALID_ARGUMENT for a subject that the model does not know, or none where it knows several */
export function sizesOf({ extents, counts, groups }: ModelSizes, subject: number | undefined): MindEye2Sizes {
  const of = (symbol: string) => extents.get(symbol)!;
  const subjects = counts.get('subject')!;
  const chosen = subject ?? (subjects === 1 ? 0 : undefined);
  if (chosen === undefined || !(Number.isInteger(chosen) && chosen >= 0 && chosen < subjects)) {
    const each = Array.from({ length: subjects }, (_, i) => `${i} (${of(`voxels[${i}]`)} voxels)`);
    const message =
      subject === undefined
        ? 'the model has layers of several subjects: choose one (subject, --subject)'
        : 'the model has no layer of this subject (subject, --subject)';
    throw new F2iError('INVALID_ARGUMENT', message, {
      field: 'subject',
      expected: each.join(', '),
      found: subject === undefined ? 'none chosen' : `${subject}`,
    });
  }
  return {
    subject: chosen,
    voxels: of(`voxels[${chosen}]`),
    positions: of('seq'),
    hidden: of('h'),
    blocks: counts.get('block')!,
    tokens: of('tokens'),
    dim: of('clip'),
    hasBlurry: groups.has('blurry'),
    hasPrior: groups.has('prior'),
  };
}

/** @throws INVALID_ARGUMENT for a stage that there is not; UNSUPPORTED for one that the checkpoint has no weights of */
export function checkStage(stage: string | undefined, sizes: MindEye2Sizes, file: string): MindEye2Stage {
  const there = { tokens: true, blurry: sizes.hasBlurry, prior: sizes.hasPrior };
  return chosenStage(stage, MINDEYE2_STAGES, file, (each) => there[each]);
}

const TOKENS = /^backbone\.(backbone_linear|clip_proj)\./;
const BLURRY = /^backbone\.(blin1|bnorm|bupsampler)\./;
const PRIOR = /^diffusion_prior\./;
const MIXER = /^backbone\.mixer_blocks[12]\./;
const PARTS = { tokens: [TOKENS], blurry: [BLURRY], prior: [TOKENS, BLURRY, PRIOR] } as const;

/** Which tensors a stage needs: of the mixer none where it is a constant, and nothing that only training uses. */
export function wantedWeights(stage: MindEye2Stage, sizes: MindEye2Sizes): (name: string) => boolean {
  const parts = [...PARTS[stage], ...(sizes.positions === 1 ? [] : [MIXER])];
  const ridge = `ridge.linears.${sizes.subject}.`;
  return (name) => name.startsWith(ridge) || parts.some((part) => part.test(name));
}

export function outputOf(stage: MindEye2Stage, { tokens, dim }: MindEye2Sizes): DecoderOutput {
  if (stage === 'blurry') return { kind: 'features', shape: [4, 28, 28], name: 'Stable Diffusion latent' };
  return { kind: 'features', shape: [tokens, dim], name: 'OpenCLIP bigG tokens' };
}

/** Bytes of the weights, exactly, and of what one batch takes beside them, from above. */
export function memoryNeeded(
  matched: MatchedWeights,
  stage: MindEye2Stage,
  sizes: MindEye2Sizes,
  precision: WeightType | undefined,
): MemoryNeeded {
  const { positions, voxels, hidden, tokens, dim, hasBlurry, hasPrior } = sizes;
  const { extents } = matched;
  const weights = networkBytes(matched, { wanted: wantedWeights(stage, sizes), precision });
  const values = tokens * dim;
  // Of a row: responses, hidden units (a live mixer holds a few copies), tokens and the projector's steps, maps.
  const row =
    positions * (voxels + hidden * (positions === 1 ? 3 : 4 + 6 * sizes.blocks)) +
    (stage === 'blurry' ? 0 : 8 * values) +
    (stage !== 'tokens' && hasBlurry ? 8 * (extents.get('top') ?? 0) * 28 * 28 : 0);
  const prior = stage === 'prior' && hasPrior ? priorActivations(extents) : 0;
  return { weights, activations: 4 * (ROWS_AT_ONCE * row + prior) };
}
