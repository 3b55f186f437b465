import { kFolds } from '../data/splits.ts';
import { borderWarnings, countAtBorder } from '../decoders/ridge/select.ts';
import type { AlphaChoice as StreamedChoice, StreamedRidge } from '../decoders/ridge/streamed/types.ts';
import type { AlphaChoice } from './recipe.ts';
import type { HeadOutcome, RunDesign, RunHead } from './runTypes.ts';
import type { ChosenAlphas, HeadStore } from './store.ts';

/** The penalty that is stated, or those that an earlier run or this one chooses. */
export async function alphasOf(
  { head, targets }: RunHead,
  run: RunDesign,
  store: HeadStore,
  open: () => Promise<StreamedRidge>,
): Promise<number | ChosenAlphas> {
  const { alpha, name } = head;
  if (typeof alpha === 'number') return alpha;
  const before = await store.chosen(name);
  if (before) return before;
  const { alphas, scores } = await (await open()).choose(targets, streamedChoice(alpha, run));
  await store.keepChosen(name, { alphas, scores });
  return { alphas, scores };
}

function streamedChoice(
  { grid, folds, score, perTarget }: AlphaChoice,
  { pictures }: RunDesign,
): StreamedChoice {
  const { count, seed, together } = folds;
  return {
    grid,
    folds: kFolds(pictures.length, { folds: count, seed, together: together ? pictures : undefined }),
    score,
    perTarget,
  };
}

/** Sentences where the grid of a head seems too narrow: the same whichever run chose. */
export function narrowGrid({ name, alpha }: RunHead['head'], chosen: number | ChosenAlphas): string[] {
  if (typeof alpha === 'number' || typeof chosen === 'number') return [];
  const { grid } = alpha;
  const { alphas } = chosen;
  const found = borderWarnings({ grid, alphas, atBorder: countAtBorder(grid, alphas) });
  return found.map((sentence) => `${name}: ${sentence}`);
}

/** How many targets took each penalty. */
export function tallied({ alphas, scores }: ChosenAlphas): Exclude<HeadOutcome['alpha'], number> {
  const chosen: Record<string, number> = {};
  for (const alpha of alphas) chosen[alpha] = (chosen[alpha] ?? 0) + 1;
  const finite = scores.filter(Number.isFinite);
  return { chosen, score: finite.reduce((sum, score) => sum + score, 0) / Math.max(1, finite.length) };
}
