import type { OpenedWeights } from '../../bundle/open.ts';
import { matchWeights } from '../../weights/match.ts';
import type { WeightType } from '../../weights/round.ts';
import { mindeye2 } from '../../weights/schemas/index.ts';
import type { MemoryNeeded } from '../memory.ts';
import { MINDEYE2_STAGES, type MindEye2Stage, memoryNeeded, sizesOf } from './stages.ts';

/** A stage that a checkpoint has the weights of, and what it takes on a device. */
export interface StageEstimate {
  readonly stage: MindEye2Stage;
  readonly memory: MemoryNeeded;
}

/**
 * What the stages of a MindEye2 bundle take on a device, before any of it is loaded: the estimate that loading is refused
 * by.
 *
 * @param precision of matrices; as they are stored when absent
 * @param subject of a model of several subjects; the first by default
 */
export function estimateMindEye2(
  { weights }: Pick<OpenedWeights, 'weights'>,
  { precision, subject = 0 }: { precision?: WeightType | undefined; subject?: number | undefined } = {},
): StageEstimate[] {
  const matched = matchWeights(weights, mindeye2);
  const sizes = sizesOf(matched, subject);
  return MINDEYE2_STAGES.flatMap((stage) => {
    const isThere = { tokens: true, blurry: sizes.hasBlurry, prior: sizes.hasPrior }[stage];
    if (!isThere) return [];
    return [{ stage, memory: memoryNeeded(matched, stage, sizes, precision) }];
  });
}
