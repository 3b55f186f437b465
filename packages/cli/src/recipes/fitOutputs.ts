import { resolve } from 'node:path';
import { usage } from '../options.ts';
import { prepareOutput } from '../output.ts';
import type { FitRecipeFlags } from './fitRecipe.ts';
import { isPublished, type Mark } from './published.ts';

/** A folder that a run writes, and whether it replaces what is there. */
export interface FitOutput {
  readonly path: string;
  readonly force: boolean;
}

/** Where the results of a run go: a bundle, predictions of the test rows, or both. */
export interface FitOutputs {
  readonly bundle: FitOutput | undefined;
  readonly predictions: FitOutput | undefined;
}

/** @throws USAGE for two places of predictions, and for one place of two outputs */
export function checkPlaces({ keep, output, predictions }: FitRecipeFlags): void {
  if (predictions === undefined) return;
  if (keep === 'predictions')
    throw usage('--keep predictions writes them to --output: leave out --predictions');
  if (resolve(predictions) !== resolve(output)) return;
  throw usage(`--output and --predictions are the same folder (${output}): name two`);
}

/**
 * Holds the outputs of a run against what lies there. With `--keep predictions` they are the output, with
 * `--predictions FOLDER` they come beside a bundle.
 *
 * @param inputs files and folders that the run reads: no output may replace them
 * @throws USAGE for a folder that may not be replaced; IO where nothing can be written
 */
export async function prepareOutputs(
  flags: FitRecipeFlags,
  inputs: readonly (string | undefined)[],
): Promise<FitOutputs> {
  const { keep, output, predictions } = flags;
  if (keep === 'predictions') {
    return { bundle: undefined, predictions: await prepare('predictions', output, flags, inputs) };
  }
  const bundle = await prepare('bundle', output, flags, [...inputs, predictions]);
  if (predictions === undefined) return { bundle, predictions };
  return { bundle, predictions: await prepare('predictions', predictions, flags, [...inputs, output]) };
}

const KINDS = {
  bundle: { kind: 'bundle', mark: 'model.json' },
  predictions: { kind: 'folder of reconstructions', mark: 'reconstructions.json' },
} as const;

async function prepare(
  what: keyof typeof KINDS,
  path: string,
  flags: FitRecipeFlags,
  inputs: readonly (string | undefined)[],
): Promise<FitOutput> {
  const { kind, mark } = KINDS[what];
  return {
    path,
    ...(await prepareOutput({ path, kind, force: await mayReplace(path, mark, flags), inputs })),
  };
}

/** `--force`, or what lies there is of this run, which was killed between its outputs and goes on: `--restart` does not. */
const mayReplace = async (path: string, mark: Mark, { force, restart, output }: FitRecipeFlags) =>
  force || (!restart && (await isPublished(path, mark, output)));
