import {
  type Backend,
  type BundleModel,
  type DesignColumns,
  didYouMean,
  F2iError,
  HEADS_KIND,
  lagVoxels,
  openBundle,
  openBundleWeights,
  preparationOf,
  prepareStudy,
  type Readout,
  type Recording,
  RidgeDecoder,
  readoutOf,
  readoutOfHead,
  rowOfInput,
  type Study,
  standardisedDesign,
  takeRows,
} from '@fmri2image/core';
import { nodeFolder } from '@fmri2image/node';
import { usage } from '../options.ts';
import { otherVoxels, trainedTrials } from '../pipeline/training.ts';
import { inputOf } from '../recipes/recording.ts';

/** The read-out of a bundle, and which voxels of the responses it reads. */
export interface BundleReadout {
  readonly model: BundleModel;
  readonly readout: Readout;
  /** Columns of the responses; all when absent. */
  readonly columns?: Int32Array | undefined;
  /** Responses that it was trained on, where they can be had. */
  readonly design?: DesignColumns | undefined;
  /** Why there are none. */
  readonly without?: string | undefined;
  readonly warnings: readonly string[];
  /** Trial of each training row, where each is of one and it is known which. */
  readonly rowTrials?: readonly number[] | undefined;
}

/**
 * Opens a ridge decoder, or one head of a bundle that has several, for maps.
 *
 * @param study that it was trained on, where there is one: decoders that do not keep their training responses take them
 *   from there
 * @param recording whose voxels the maps are of: those of heads must be the same
 */
export async function openReadout(
  path: string,
  head: string | undefined,
  study: Study | undefined,
  recording: () => Recording,
  { backend, signal }: { backend: Backend; signal: AbortSignal },
): Promise<BundleReadout> {
  const folder = await nodeFolder(path);
  const opened = await openBundleWeights(folder, { signal });
  const { model } = opened;
  const file = `${path}/model.json`;
  if (model.kind === HEADS_KIND) {
    await checkVoxels(model, recording(), file);
    const { readout, columns, average } = await readoutOfHead(opened, head, file);
    const without = readout.design
      ? undefined
      : 'the head keeps weights of voxels without its training responses';
    const { name, trials } = recording();
    const trained = trainedTrials(model.report.training, { name, trials });
    const single = trained?.length === readout.design?.rows ? trained : undefined;
    // Rows of pictures that were shown once are "averages", too: by ascending picture.
    const rowTrials =
      average === 'none' ? single : single?.toSorted((a, b) => trials[a]!.stimulus - trials[b]!.stimulus);
    return { model, readout, columns, design: readout.design, without, warnings: opened.warnings, rowTrials };
  }
  if (head !== undefined) throw usage(`--head names one of several heads; ${path} has one output`);
  if (model.kind !== 'ridge') {
    throw usage(`${path} is a bundle of kind ${model.kind}; maps are made of linear decoders (ridge)`);
  }
  const decoder = await openBundle(folder, { backend, signal });
  try {
    if (!(decoder instanceof RidgeDecoder)) throw usage(`${path} is no ridge decoder`);
    const ridge = decoder.model;
    const { voxels, delays } = rowOfInput(model.input);
    // The delays of a row are as many lags.
    const readout = { ...readoutOf(ridge), voxels, lags: ridge.lags.length * delays };
    const warnings = [...decoder.warnings];
    if (study) warnings.push(...(await otherVoxels(model.input, study, model.input.voxels, path)));
    else await checkVoxels(model, recording(), file);
    const trained = study && trainedTrials(model.report.training, study);
    const made = { model, readout, warnings };
    if (readout.design) {
      const { design } = readout;
      return { ...made, design, rowTrials: trained?.length === design.rows ? trained : undefined };
    }
    if (!trained) {
      const without = study
        ? 'the bundle does not say which trials of this study it was trained on'
        : 'the bundle keeps weights of voxels without its training responses, and no study was given';
      return { ...made, without };
    }
    const prepared = prepareStudy(study, preparationOf(model, file));
    const plain = ridge.lags.length === 1 && ridge.lags[0] === 0;
    const rows = plain ? prepared.voxels : lagVoxels(prepared.voxels, ridge.lags, prepared.runs);
    const design = standardisedDesign(takeRows(rows, trained).data, ridge);
    return { ...made, design, rowTrials: trained };
  } finally {
    decoder.dispose();
  }
}

/** Columns of heads count the voxels that were fitted on: of others, maps would lie elsewhere. */
async function checkVoxels({ input }: BundleModel, recording: Recording, file: string): Promise<void> {
  const found = await inputOf(recording);
  if (found.voxels === input.voxels && found.selectionSha256 === input.selectionSha256) return;
  throw new F2iError('INVALID_ARGUMENT', 'the bundle was fitted on other voxels', {
    file,
    field: found.voxels === input.voxels ? 'input.selectionSha256' : 'input.voxels',
    expected: `${input.voxels} (${input.selection})`,
    found: `${found.voxels} (${found.selection})`,
  });
}

/** `face`, `target 0`, `5 targets`: targets as titles say them. */
export function targetsInWords(names: readonly string[]): string {
  if (names.length > 3) return `${names.length} targets`;
  const numbers = names.every((name) => /^\d+$/.test(name));
  return `${numbers ? `target${names.length === 1 ? '' : 's'} ` : ''}${names.join(', ')}`;
}

/** Targets that the user names: numbers from 0, or names of labels. */
export function namedTargets(model: BundleModel, names: readonly string[] | undefined): number[] | undefined {
  if (!names) return undefined;
  const labels = model.output.kind === 'labels' ? model.output.names : [];
  return names.map((name) => {
    const label = labels.indexOf(name);
    if (label >= 0) return label;
    const index = Number(name);
    if (/^\d+$/.test(name)) return index;
    throw usage(
      labels.length > 0
        ? `no label ${name}${didYouMean(name, labels)} (there are ${labels.join(', ')})`
        : `--target takes numbers of targets from 0, not ${name}`,
    );
  });
}
