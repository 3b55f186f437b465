import type { Json } from '../data/json.ts';
import { type DescribedRun, orderedHeads } from './describedRun.ts';

/** What a run of heads says of itself, in its bundle and beside its predictions alike. */
export function headsReport(run: DescribedRun): { readonly [key: string]: Json } {
  const { recipe, designs, outcome, report } = run;
  const penalties = penaltiesOf(run);
  const headBands = bandsOf(run);
  return {
    ...report,
    heads: outcome.heads.map(({ name, storage, alpha }) => ({
      name,
      storage,
      alpha: typeof alpha === 'number' ? alpha : { ...alpha },
    })),
    numerics: outcome.numerics.map((numerics) => ({ ...numerics })),
    fittedBy: outcome.fittedBy,
    ...(Object.keys(penalties).length > 0 && { penalties }),
    ...(Object.keys(headBands).length > 0 && { headBands }),
    warnings: [...outcome.warnings],
    quirks: recipe.quirks.map(({ what }) => what),
    inferred: [...recipe.inferred],
    trials: designs[0]!.design.train,
  };
}

/** How penalties were chosen, by head; of those that were stated, nothing. */
function penaltiesOf({ recipe }: DescribedRun): { readonly [head: string]: Json } {
  return Object.fromEntries(
    recipe.heads.flatMap(({ name, alpha }) => {
      if (typeof alpha === 'number') return [];
      const { grid, folds, score, perTarget } = alpha;
      const { count, seed, together } = folds;
      const stated = { count, together, ...(seed !== undefined && { seed }) };
      return [[name, { grid: [...grid], folds: stated, score, perTarget }]];
    }),
  );
}

function bandsOf(run: DescribedRun): { readonly [head: string]: Json } {
  return Object.fromEntries(
    orderedHeads(run).flatMap(({ head, design }) => {
      const bands = run.outcome.bands[design]?.weights;
      return bands ? [[head.name, bands as unknown as Json]] : [];
    }),
  );
}
