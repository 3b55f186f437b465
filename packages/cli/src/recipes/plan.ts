import {
  type Arrangement,
  arrange,
  checkTargetShape,
  designOf,
  didYouMean,
  F2iError,
  type MatrixSource,
  NORMALISATIONS,
  type NormalisationName,
  openMatrix,
  type PackedRecording,
  picturesOf,
  type Recipe,
  type RecipeHead,
  type RecordingDesign,
  type RecordingFacts,
  type RunBands,
  type RunDesign,
  regionBands,
  regionColumns,
  SPLIT_NAMES,
  type SplitPictures,
  targetRows,
  unitRows,
  unitTokens,
} from '@fmri2image/core';
import { fileSource } from '@fmri2image/node';

/** Features of pictures in a file: `--targets vision=clip_vision.npy`. */
export interface TargetFile {
  readonly name: string;
  readonly path: string;
  /** Which array of a file of several: `vision=features.h5:clip`. */
  readonly array?: string | undefined;
}

/** Bands of ROIs, as a user asks for them. */
export interface AskedBands {
  /** ROIs by their names: see `regionBands`. */
  readonly names: readonly string[];
  /** Candidates for their weights. */
  readonly draws: number;
}

/** A design of a run, and what a bundle says of it. */
export interface PlannedDesign extends RunDesign {
  readonly roi: string;
  readonly average: RecipeHead['average'];
  readonly unitVoxels: boolean;
  /** Of the packed voxels, ascending. */
  readonly columns: Int32Array;
  readonly rows: RecordingDesign;
  readonly arrangement: Arrangement;
  /** How many voxels each band has, and what was left out, in words. */
  readonly bandCounts: readonly string[];
}

/** A recipe on a recording: everything is checked, nothing is computed. */
export interface Plan {
  readonly recipe: Recipe;
  readonly designs: readonly PlannedDesign[];
  /** Rows of the test, as `predictions` and `reconstructions.json` have them. */
  readonly items: readonly PlannedItem[];
  readonly pictures: SplitPictures;
  readonly warnings: readonly string[];
}

export interface PlannedItem {
  readonly stimulus: number;
  /** Trials of the recording, ascending. */
  readonly trials: readonly number[];
}

/** ROIs that the heads read, in one word; undefined where one of them reads all voxels. */
export function regionsOf({ heads }: Recipe): string | undefined {
  const named = [...new Set(heads.map(({ roi }) => roi))];
  return named.includes('all') ? undefined : named.join('+');
}

/** Voxels of a head among those of a recording. */
export function columnsOf({ regions, voxels }: RecordingFacts, roi: string): Int32Array {
  if (roi === 'all') return Int32Array.from({ length: voxels }, (_, column) => column);
  if (regions.size === 0) {
    throw new F2iError('USAGE', 'these responses have no ROIs', {
      field: '--roi',
      expected: 'all',
      found: roi,
    });
  }
  return regionColumns(regions, roi, '--roi');
}

/** @throws USAGE for a name that is none of those; a recipe holds texts */
export function named<T extends string>(name: string, known: readonly T[], option: string): T {
  const found = known.find((one) => one === name);
  if (found !== undefined) return found;
  throw new F2iError('USAGE', `no such name${didYouMean(name, known)}`, {
    field: option,
    expected: known.join(', '),
    found: name,
  });
}

/**
 * Training and test rows of a head, or of the test alone.
 *
 * @throws USAGE for a recording without the split, naming those that it has
 */
export function arrangementOf(
  recording: RecordingFacts,
  recipe: Recipe,
  average: RecipeHead['average'],
): Arrangement {
  const split = named(recipe.split, SPLIT_NAMES, '--split');
  if (split === 'split') checkOwnSplit(recording);
  return arrange(recording, { split, average: { train: average, test: recipe.testAverage } });
}

/** `split` means what the files say of each trial: they must say something. */
function checkOwnSplit(recording: RecordingFacts): void {
  const own = new Set(recording.trials.map(({ split }) => split));
  if (own.has('train') && own.has('test')) return;
  const published = SPLIT_NAMES.filter((name) => name !== 'split' && hasSplit(recording, name));
  const found = [...own].filter((name) => name !== undefined);
  const add = published.length > 0 ? `: add --split ${published.join(' or ')}` : '';
  throw new F2iError('USAGE', `${recording.name} states no split of its own${add}`, {
    field: '--split',
    expected: 'trials called train and test (a column "split")',
    found: found.length > 0 ? `trials called ${found.join(', ')}` : 'trials without one',
  });
}

function hasSplit(recording: RecordingFacts, split: (typeof SPLIT_NAMES)[number]): boolean {
  try {
    arrange(recording, { split });
    return true;
  } catch (error) {
    if (error instanceof F2iError && error.code === 'INVALID_ARGUMENT') return false;
    throw error;
  }
}

export const normalisationOf = ({ normalisation }: Recipe): NormalisationName =>
  named(normalisation, Object.keys(NORMALISATIONS) as NormalisationName[], '--normalisation');

/** An open file of features, and the axes that its rows have in the recipe. */
export interface OpenTargets {
  readonly source: MatrixSource;
  readonly shape: readonly number[];
}

/**
 * Opens the files of features and holds their shapes against the heads.
 *
 * @throws FORMAT naming file, expected and found
 */
export async function openTargetFiles(
  recipe: Recipe,
  files: readonly TargetFile[],
  signal: AbortSignal,
): Promise<Map<string, OpenTargets>> {
  const opened = new Map<string, OpenTargets>();
  try {
    for (const head of recipe.heads) {
      const source = await openTargetFile(files.find(({ name }) => name === head.name)!, signal);
      opened.set(head.name, { source, shape: source.shape });
      opened.set(head.name, { source, shape: checkTargetShape(source, head) });
    }
    return opened;
  } catch (error) {
    closeTargets(opened);
    throw error;
  }
}

/** @throws USAGE where a file holds several arrays, saying how one is named */
export async function openTargetFile(
  { name, path, array }: TargetFile,
  signal: AbortSignal,
): Promise<MatrixSource> {
  try {
    return await openMatrix(await fileSource(path), { array, signal });
  } catch (error) {
    if (!(error instanceof F2iError && error.code === 'USAGE' && array === undefined)) throw error;
    throw new F2iError('USAGE', `holds several arrays: --targets ${name}=${path}:ARRAY names one`, {
      file: path,
      field: error.field,
      expected: error.expected,
      found: error.found,
      cause: error,
    });
  }
}

export function closeTargets(opened: ReadonlyMap<string, OpenTargets>): void {
  for (const { source } of opened.values()) source.close?.();
}

/**
 * Arranges the trials, and finds the row of features of each. No response is read.
 *
 * @param packed where the responses will be when designs are read
 * @throws FORMAT and USAGE naming file or option, expected and found
 */
export function planRecipe(
  recipe: Recipe,
  packed: PackedRecording,
  targets: ReadonlyMap<string, OpenTargets>,
  asked?: AskedBands,
): Plan {
  const normalisation = normalisationOf(recipe);
  const groups = new Map<string, RecipeHead[]>();
  for (const head of recipe.heads) {
    const { roi, average, intercept, unitVoxels, name } = head;
    // Weights of bands are a head’s own, and so are its voxels.
    const key = JSON.stringify([roi, average, intercept, unitVoxels, asked && name]);
    groups.set(key, [...(groups.get(key) ?? []), head]);
  }
  const designs: PlannedDesign[] = [];
  for (const heads of groups.values()) {
    const { roi, average, intercept, unitVoxels } = heads[0]!;
    const arrangement = arrangementOf(packed, recipe, average);
    const { columns, bands, counts } = bandsOfHead(packed, heads[0]!, asked);
    const rows = designOf(packed, arrangement, normalisation, { columns });
    const pictures = Int32Array.from(arrangement.train, ({ stimulus }) => stimulus);
    const split = splitOf(arrangement);
    const runs: RunDesign['heads'][number][] = [];
    for (const head of heads) {
      const { source, shape } = targets.get(head.name)!;
      const train = targetRows(source, pictures, 'train', split);
      runs.push({
        head: { ...head, shape },
        targets: { source: head.unitTargets ? unitTokens(source, shape) : source, train },
      });
    }
    designs.push({
      design: rows,
      pictures,
      groups: recipe.testAverage === 'predictions' ? repeatsOf(arrangement) : undefined,
      intercept,
      bands,
      heads: runs,
      roi,
      average,
      unitVoxels,
      columns,
      rows,
      arrangement,
      bandCounts: counts,
    });
  }
  const first = designs[0]!.arrangement;
  return {
    recipe,
    designs,
    items: itemsOf(first),
    pictures: splitOf(first),
    warnings: [...new Set(designs.flatMap(({ arrangement }) => arrangement.warnings))],
  };
}

/** Voxels of a head, and its bands where they are asked for. */
function bandsOfHead(
  packed: RecordingFacts,
  { name, roi, unitVoxels }: RecipeHead,
  asked: AskedBands | undefined,
): { columns: Int32Array; bands: RunBands | undefined; counts: readonly string[] } {
  const all = columnsOf(packed, roi);
  if (!asked) return { columns: all, bands: undefined, counts: [] };
  if (unitVoxels) {
    throw new F2iError('USAGE', 'bands of rows that are brought to length 1 have no weights of their own', {
      field: '--bands',
      expected: 'a head whose voxels are not brought to length 1',
      found: name,
    });
  }
  const { bands, columns, counts } = regionBands(packed.regions, all, asked.names, '--bands');
  return { columns, bands: { bands, draws: asked.draws, seed: 0 }, counts };
}

/** The designs as they are regressed, of responses that can be read: norms of rows need all voxels. */
export async function withUnitRows(plan: Plan, signal: AbortSignal): Promise<Plan> {
  const designs: PlannedDesign[] = [];
  for (const one of plan.designs) {
    designs.push(one.unitVoxels ? { ...one, design: await unitRows(one.rows, signal) } : one);
  }
  return { ...plan, designs };
}

/** Pictures of both sides. */
export const splitOf = ({ train, test }: Arrangement): SplitPictures => ({
  train: picturesOf(train),
  test: picturesOf(test),
});

/** Rows of the test that show one picture, which lie together: their predictions are averaged. */
export function repeatsOf({ test }: Arrangement): number[][] {
  const groups: number[][] = [];
  for (const [row, { stimulus }] of test.entries()) {
    if (row > 0 && test[row - 1]!.stimulus === stimulus) groups.at(-1)!.push(row);
    else groups.push([row]);
  }
  return groups;
}

/** What each row of the predictions is of. */
export function itemsOf(arrangement: Arrangement): PlannedItem[] {
  const { test, average } = arrangement;
  const groups = average.test === 'predictions' ? repeatsOf(arrangement) : test.map((_, row) => [row]);
  return groups.map((rows) => ({
    stimulus: test[rows[0]!]!.stimulus,
    trials: rows.flatMap((row) => [...test[row]!.trials]),
  }));
}
