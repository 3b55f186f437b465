import {
  bytesInWords,
  type DescribedRun,
  quirkInWords,
  type RecipeHead,
  rowsInWords,
} from '@fmri2image/core';
import type { Console } from '../console.ts';
import type { Context } from '../context.ts';
import type { FitRecipeFlags } from './fitRecipe.ts';
import type { OpenTargets, Plan } from './plan.ts';
import type { OpenedRecording } from './recording.ts';

/** Says how the rows of a run were understood, before they are fitted. */
export function tellPlan(
  { designs, pictures }: Plan,
  targets: ReadonlyMap<string, OpenTargets>,
  recording: OpenedRecording,
  console: Console,
): void {
  for (const line of designs[0]!.arrangement.counts) console.print(`  ${line}`);
  for (const [head, { source }] of targets) {
    console.print(`  rows of ${head}: ${rowsInWords(source, 'train', pictures, recording)}`);
  }
  for (const { heads, bandCounts } of designs) {
    const [first, ...others] = bandCounts;
    if (first !== undefined) console.print(`  bands of ${heads[0]!.head.name}: ${first}`);
    for (const other of others) console.print(`    ${other}`);
  }
}

/** What a run came to. */
export interface ToldFit {
  readonly described: DescribedRun;
  readonly plan: Plan;
  /** Content hash of the bundle, where one was written. */
  readonly hash: string | undefined;
  /** Folder of the predictions, where they were written. */
  readonly predictions: string | undefined;
  readonly notes: readonly string[];
  readonly seconds: number;
}

/** Says what a run came to: notes, `--json`, and lines for people. */
export function tellFit(
  { output, keep }: FitRecipeFlags,
  { described, plan, hash, predictions, notes, seconds }: ToldFit,
  { console, backend }: Context,
): void {
  const { outcome, recipe, input } = described;
  for (const note of notes) console.warn(`note: ${note}`);
  const { flops, fileSeconds, heads, numerics } = outcome;
  const peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
  console.result({
    ...(keep === 'bundle' ? { bundle: output, contentHash: hash } : { output }),
    ...(predictions !== undefined && { predictions, reconstructions: plan.items.length }),
    recipe: recipe.name,
    heads,
    numerics,
    trainingRows: plan.designs.map(({ design }) => design.train),
    testRows: plan.items.length,
    voxels: input.voxels,
    counts: plan.designs[0]!.arrangement.counts,
    flops,
    seconds: { all: seconds, files: fileSeconds },
    peakMemoryBytes,
    device: backend.info.description,
  });
  for (const line of headsInWords(described, plan)) console.print(`  ${line}`);
  for (const line of bandsInWords(outcome, plan)) console.print(`  ${line}`);
  for (const quirk of recipe.quirks) {
    const told = plan.designs.find(({ heads }) => heads.some(({ head }) => quirk.heads?.includes(head.name)));
    const words = quirkInWords(quirk, (told ?? plan.designs[0]!).arrangement);
    console.print(`  of this recipe: ${words} (${quirk.option})`);
  }
  console.print(
    `${recipe.title}, ${recipe.heads.length} ${recipe.heads.length === 1 ? 'head' : 'heads'}, in ${seconds.toFixed(1)} s (${fileSeconds.toFixed(1)} s of it waiting for files), at most ${bytesInWords(peakMemoryBytes)} of memory (${backend.info.description})`,
  );
  if (hash !== undefined) console.print(`bundle ${output} (${hash.slice(0, 12)})`);
  if (predictions !== undefined) {
    console.print(`predictions of ${plan.items.length} test rows in ${predictions}`);
  }
}

const gridOf = (alpha: RecipeHead['alpha']) => (typeof alpha === 'number' ? [alpha] : alpha.grid);

/** Penalty and form of each head. */
function headsInWords({ outcome }: DescribedRun, { designs }: Plan): string[] {
  return designs.flatMap(({ heads }) =>
    heads.map(({ head }) => {
      const { alpha, storage } = outcome.heads.find(({ name }) => name === head.name)!;
      const penalty =
        typeof alpha === 'number'
          ? `alpha ${alpha}`
          : `alpha chosen of ${gridOf(head.alpha).join(', ')}: ${Object.keys(alpha.chosen).join(', ')}`;
      return `${head.name} [${head.shape.join(', ')}]: ${penalty}, ${storage}`;
    }),
  );
}

/** What each band weighs, and whether that is worth more than ridge without bands. */
function bandsInWords({ bands: all }: DescribedRun['outcome'], { designs }: Plan): string[] {
  return all.flatMap((found, d) => {
    if (!found) return [];
    const { bands, candidates, score, chosen, plain } = found.weights;
    const list = bands.map(({ name, weight }) => `${name} ${Number(weight.toPrecision(3))}`).join(', ');
    return `bands of ${designs[d]!.heads[0]!.head.name} weigh ${list} (of ${candidates} candidates; mean ${score} ${Number(chosen.toPrecision(3))}, equal weights ${Number(plain.toPrecision(3))})`;
  });
}
