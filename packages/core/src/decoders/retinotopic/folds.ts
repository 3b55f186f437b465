import { kFolds } from '../../data/splits.ts';
import { type FoldPlan, planFolds } from '../ridge/folds.ts';
import type { Fold } from '../ridge/types.ts';

/** Where there is one group only: blocks of successive volumes. */
const BLOCKS = 3;

/** Folds that choose the regularisation: as stated, else each group held out once. */
export function planBlocks(
  plan: FoldPlan | undefined,
  volumes: number,
  groups: readonly string[],
): readonly Fold[] {
  const several = new Set(groups).size > 1;
  const folds = plan
    ? planFolds(plan, volumes, groups)
    : several
      ? planFolds('leave-one-group-out', volumes, groups)
      : kFolds(volumes, { folds: Math.min(BLOCKS, volumes) });
  // One volume at a time says nothing where responses last for many: blocks instead.
  return folds === 'leave-one-out' ? kFolds(volumes, { folds: Math.min(BLOCKS, volumes) }) : folds;
}
