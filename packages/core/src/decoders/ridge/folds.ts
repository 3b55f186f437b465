import { kFolds, leaveOneGroupOut } from '../../data/splits.ts';
import { F2iError } from '../../error.ts';
import type { Fold } from './types.ts';

/** How the trials are divided to choose the penalty. */
export type FoldPlan =
  /** Each run (sweep, session) held out once: the labels of `groups`. */
  | 'leave-one-group-out'
  /** Each trial held out once. Not for responses that are smooth in time. */
  | 'leave-one-out'
  /** So many blocks of successive trials (unshuffled K folds, as scikit-learn's `KFold`). */
  | { readonly folds: number }
  | readonly Fold[];

/** @param groups label of each trial */
export function planFolds(
  plan: FoldPlan,
  trials: number,
  groups: ArrayLike<string | number> | undefined,
): readonly Fold[] | 'leave-one-out' {
  if (plan === 'leave-one-out') return plan;
  if (plan === 'leave-one-group-out') {
    if (!groups) {
      throw new F2iError('INVALID_ARGUMENT', 'leaving one group out needs the group of each trial', {
        field: 'groups',
      });
    }
    return leaveOneGroupOut(groups);
  }
  if ('folds' in plan) return kFolds(trials, { folds: plan.folds });
  return plan;
}
