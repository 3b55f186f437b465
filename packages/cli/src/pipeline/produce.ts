import { type BundleModel, type Json, type LoadedDecoder, readModel, type Study } from '@fmri2image/core';
import { fileSource, loadDecoder, nodeFolder, writeFolderAtomic } from '@fmri2image/node';
import { type Context, Interrupted } from '../context.ts';
import { usage } from '../options.ts';
import { termsOf } from '../terms.ts';
import { openWork, runConverted, runIdentity, stepOf } from './converted.ts';
import { chosenRun, type RunSettings } from './convertedSettings.ts';
import type { FoldRecord } from './folds.ts';
import { openNoise } from './noiseFile.ts';
import { repetitions } from './repeats.ts';
import { checksum, type Responses } from './responses.ts';
import { type Provenance, provenanceOf, type ResultItem, writeIndex } from './results.ts';
import { seenBy } from './training.ts';
import type { OutputFile } from './workFolder.ts';

export interface ProduceSettings extends RunSettings {
  /** The folder to write, and whether it may replace one. */
  readonly output: string;
  readonly force: boolean;
  readonly restart?: boolean | undefined;
  /** Ceiling of the device's memory in bytes: a model beyond it is refused before it is loaded. */
  readonly memoryLimit?: number | undefined;
}

/** A folder of features that was written. */
export interface Produced {
  readonly items: readonly ResultItem[];
  readonly outputs: readonly OutputFile[];
  readonly provenance: Provenance;
  /** Reconstructions that this run made, and the seconds they took; an earlier one may have made others. */
  readonly made: number;
  readonly seconds: number;
}

/**
 * Runs a published model over trials. Outputs go row by row into a hidden folder beside the output; where a run was
 * killed, the same one goes on. The output appears when all of them are there.
 */
export async function produce(
  bundle: string,
  responses: Responses,
  settings: ProduceSettings,
  context: Context,
): Promise<Produced> {
  const { console, signal, backend } = context;
  const { output, precision, restart } = settings;
  const folder = await nodeFolder(bundle, { onRepair: console.warn });
  const model = await readModel(folder, signal);
  const chosen = chosenRun(model, settings);
  const { repeats, stage, subject, seed } = chosen;
  const { betas } = responses;
  checkVoxels(model, subject, betas.shape[1]!, `${bundle}/model.json`);
  const planned = repetitions(responses.rows, responses.stimulusOf, repeats);
  const noise =
    settings.noise === undefined
      ? undefined
      : await openNoise(await fileSource(settings.noise), planned.length, signal);
  const run = { stage, betas, repetitions: planned, seed, noise };
  const identity = runIdentity(chosen, planned, {
    bundle: model.contentHash,
    data: await checksum(betas, signal),
    noise,
    device: backend.info,
  });
  const work = await openWork(output, identity, planned.length, { restart, step: stepOf(run) });
  if (work.done > 0) console.warn(`goes on after ${work.done} of ${planned.length}, made by an earlier run`);
  let decoder: LoadedDecoder | undefined;
  try {
    decoder = await loadDecoder(folder, {
      backend,
      stage,
      precision,
      subject,
      memoryLimit: settings.memoryLimit,
      signal,
      onProgress: ({ phase, done, total }) => console.progress(`${phase} ${bundle}`, done / total),
    });
    const timed = await runConverted({ decoder, ...run }, work, context);
    const seen = seenBy(model.report.training, responses.study ?? ({ name: responses.name } as Study));
    const items = planned.map(
      ({ trials }): ResultItem => ({ ...responses.describe(trials), seen: seen(trials[0]!) }),
    );
    const produced = {
      items,
      outputs: work.outputs,
      provenance: provenanceOf(responses.name, model.kind, model.contentHash, backend.info, decoder.warnings),
    };
    const index = {
      ...produced,
      kind: 'features',
      terms: termsOf({}, model),
      run: settingsOf(identity),
      folds: [recordOf(model, betas.shape[1]!)],
    } as const;
    await writeFolderAtomic(
      output,
      async (write, adopt) => {
        await work.handOver(adopt);
        await writeIndex(index, [], write);
      },
      { force: settings.force, signal, onRepair: console.warn },
    );
    await work.remove();
    return { ...produced, ...timed };
  } catch (error) {
    // What failed first is the news; the state on the disk is the last good one whatever happens here.
    await work.leave().catch(() => undefined);
    if (work.kept === 0) throw error;
    const kept = `${work.kept} of ${planned.length} are made and kept in ${work.path}; the same command goes on from there`;
    if (signal.aborted) throw new Interrupted(kept, error);
    console.warn(kept);
    throw error;
  } finally {
    await decoder?.dispose();
  }
}

/** How the model came about, as fitted decoders say it: a published one as converted, an aligned one with its layer. */
function recordOf({ kind, input, config, report, ledger }: BundleModel, voxels: number): FoldRecord {
  // Betas go in as they are: nothing is fitted here.
  return { decoder: kind, voxels, selection: input.selection, preprocess: [], config, report, ledger };
}

/** What a reader of the results should know of the run; the list of trials is in the items. */
function settingsOf({ trials: _, ...settings }: Record<string, Json>): Record<string, Json> {
  return settings;
}

/** Said before gigabytes of weights are read. */
function checkVoxels({ kind, config }: BundleModel, subject: number, found: number, file: string) {
  const extents = (config.extents ?? {}) as Record<string, number>;
  const voxels = extents[`voxels[${subject}]`] ?? extents.voxels;
  if (voxels === undefined) return;
  const expected = voxels * (extents.seq ?? 1);
  if (found === expected) return;
  throw usage(
    `${kind} was trained on ${expected} voxels of this subject (${file}), the betas have ${found}: it works on the voxels that it was trained on, in their order`,
  );
}
