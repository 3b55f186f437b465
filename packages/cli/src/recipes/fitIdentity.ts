import { createHash } from 'node:crypto';
import { type Json, targetBlock, VERSION, VOXEL_BLOCK } from '@fmri2image/core';
import type { Context } from '../context.ts';
import type { RunIdentity } from '../pipeline/workFolder.ts';
import type { FitRecipeFlags } from './fitRecipe.ts';
import { deviceIdentity, fileIdentity, responsesIdentity, type WatchedFiles } from './identity.ts';
import type { Plan, TargetFile } from './plan.ts';
import type { OpenedRecording } from './recording.ts';

/** Everything that the numbers depend on: a run that was killed goes on only with the same. */
export async function identityOf(
  { recipe, designs }: Plan,
  recording: OpenedRecording,
  files: readonly TargetFile[],
  watched: WatchedFiles,
  { keep, predictions, storage = 'auto' }: FitRecipeFlags,
  { backend, signal }: Context,
): Promise<RunIdentity> {
  const identity: Record<string, Json> = {
    version: VERSION,
    keep: predictions === undefined ? keep : `${keep} and predictions`,
    storage,
    recipe: recipe.name,
    split: recipe.split,
    normalisation: recipe.normalisation,
    testAverage: recipe.testAverage,
    precision: recipe.precision,
    device: deviceIdentity(backend),
    voxelBlock: VOXEL_BLOCK,
    ...(await responsesIdentity(recording, watched, signal)),
  };
  for (const { name, what: _, shape: __, ...settings } of recipe.heads) {
    for (const [setting, value] of Object.entries(settings)) identity[`${name}.${setting}`] = value as Json;
  }
  for (const { bands, heads, columns } of designs) {
    if (!bands) continue;
    const list = bands.bands.map(({ name, columns: own }) => [
      name,
      ...Array.from(own, (place) => columns[place]!),
    ]);
    const digest = createHash('sha256').update(JSON.stringify(list)).digest('hex').slice(0, 12);
    identity[`${heads[0]!.head.name}.bands`] = `${bands.bands.length} (${digest}), ${bands.draws} candidates`;
  }
  // Products of other widths round differently, and their blocks begin elsewhere.
  for (const { design, heads } of designs) {
    for (const { head } of heads) identity[`${head.name}.targetBlock`] = targetBlock(design.train);
  }
  for (const { name, path, array } of files) {
    identity[`${name}.targets`] = await fileIdentity(path);
    if (array !== undefined) identity[`${name}.targets.array`] = array;
  }
  return identity;
}
