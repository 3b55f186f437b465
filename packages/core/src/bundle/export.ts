import type { Backend } from '../backend.ts';
import type { Folder } from '../data/source.ts';
import { primalRidge } from '../decoders/ridge/primal.ts';
import { F2iError } from '../error.ts';
import type { BundleContents, FittedStep } from './contents.ts';
import { decoderOf, type OpenedBundle } from './open.ts';
import type { SaveOptions } from './save.ts';
import { type BundleModel, FORMAT_VERSION, MODEL_FILE } from './schema.ts';
import { type Described, refuseIdentifying, type Statements, withoutLabels } from './shareable.ts';

/** A text to state, `null` to state none, undefined to leave what the bundle states. */
type Statement = string | null | undefined;

export interface ExportOptions {
  /** Refuse what a person outside must not get; take out what a lab wrote for itself. */
  shareable?: boolean | undefined;
  /** Replace training responses by weights of voxels. */
  primal?: boolean | undefined;
  /** Largest size of such weights, in bytes. */
  primalLimitBytes?: number | undefined;
  dataTerms?: Statement;
  consentReference?: Statement;
  pseudonym?: Statement;
  /** How the voxels were selected, in words. */
  selection?: Statement;
}

/** What `saveBundle` takes, and what a person should know. */
export interface PreparedExport {
  readonly contents: BundleContents;
  readonly options: SaveOptions;
  /** In words; none: the bundle needs no change, and a copy of its files keeps its identity. */
  readonly changes: readonly string[];
  /** What the new bundle tells of the data it was fitted on, in words. */
  readonly holds: readonly string[];
}

/** Conversions to weights of voxels, by kind; kinds that never hold training responses need none. */
const primal: Record<string, typeof primalRidge> = { ridge: primalRidge };

/**
 * Prepares a copy of a bundle with other statements, without training responses, or fit to be shared (docs/bundle.md
 * says what that means). What was done is in `report.export`, with the identity of the bundle that it came from.
 *
 * @throws INVALID_ARGUMENT for a bundle that must not be shared, naming the field and the remedy, and for primal weights
 *   above the limit; UNSUPPORTED for a bundle of a newer version, whose unknown fields would be lost; FORMAT
 */
export async function prepareExport(
  opened: OpenedBundle,
  folder: Folder,
  options: ExportOptions,
  { backend, signal }: { backend: Backend; signal?: AbortSignal | undefined },
): Promise<PreparedExport> {
  const { model } = opened;
  const file = `${folder.name}/${MODEL_FILE}`;
  refuseNewer(model, file);
  // The kind's own checks: that containsTrainingData is the truth, among others.
  decoderOf(opened, folder, backend).dispose();
  const changes: string[] = [];
  let { contents } = opened;
  if (options.primal) {
    const convert = Object.hasOwn(primal, contents.kind) ? primal[contents.kind]! : undefined;
    const limitBytes = options.primalLimitBytes;
    const converted = (await convert?.(contents, file, { backend, signal, limitBytes })) ?? contents;
    if (converted !== contents) {
      changes.push('training responses replaced by weights of voxels');
      contents = { ...converted, ledger: [...converted.ledger, conversionStep(model)] };
    }
  }
  const restated = restate(contents, model, options, file);
  changes.push(...restated.changes);
  contents = changes.length > 0 ? withOrigin(restated.contents, model.contentHash, changes) : contents;
  return { contents, options: restated.options, changes, holds: holdings(contents) };
}

/** A copy of a bundle of a newer version would lose fields. */
export function refuseNewer({ formatVersion }: Pick<BundleModel, 'formatVersion'>, file: string): void {
  if (formatVersion <= FORMAT_VERSION) return;
  throw new F2iError(
    'UNSUPPORTED',
    'a copy of a bundle of a newer version would lose what is not understood',
    { file, field: 'formatVersion', expected: `at most ${FORMAT_VERSION}`, found: `${formatVersion}` },
  );
}

/** A bundle's description with other statements, and fit to be shared where that is asked for. */
export function restate<T extends Described>(
  before: T,
  model: BundleModel,
  options: ExportOptions,
  file: string,
): { contents: T; options: SaveOptions; changes: string[] } {
  const changes: string[] = [];
  const input = { ...before.input, selection: stated(options.selection, before.input.selection) };
  const statements: Statements = {
    dataTerms: stated(options.dataTerms, model.dataTerms),
    consentReference: stated(options.consentReference, model.consentReference),
    pseudonym: stated(options.pseudonym, model.pseudonym),
  };
  for (const name of ['dataTerms', 'consentReference', 'pseudonym'] as const) {
    if (statements[name] !== model[name])
      changes.push(`${name} ${statements[name] === undefined ? 'removed' : 'stated'}`);
  }
  if (input.selection !== before.input.selection) {
    changes.push(`input.selection ${input.selection === undefined ? 'removed' : 'stated'}`);
  }
  let created = model.created;
  let contents: T = { ...before, input };
  if (options.shareable) {
    refusePrivate(contents, statements, file);
    const labels = contents.ledger.flatMap(({ runs }) => runs);
    const { contents: plain, removed } = withoutLabels(contents);
    // What was stated for this copy is meant for its readers.
    const kept = typeof options.selection === 'string';
    contents = kept ? { ...plain, input } : plain;
    changes.push(
      ...removed.filter((what) => !(kept && what === 'input.selection')).map((what) => `${what} removed`),
    );
    if (created !== undefined) changes.push('created removed');
    created = undefined;
    refuseIdentifying(contents, statements, file, labels);
  }
  return {
    contents,
    options: { ...statements, created: created === undefined ? undefined : new Date(created) },
    changes,
  };
}

const stated = (option: Statement, before: string | undefined) =>
  option === undefined ? before : (option ?? undefined);

/** Nothing new is seen; what the weights had seen, they still have. */
function conversionStep({ contentHash, ledger }: OpenedBundle['model']): FittedStep {
  const { runs = [], sawTest = 'unknown' } = ledger.at(-1) ?? {};
  return {
    step: 'ridge weights of voxels from those of training trials',
    runs,
    sawTest,
    note: `a product in float64 of what bundle ${contentHash} holds; nothing was fitted`,
  };
}

/** Contents with the bundles that they were made from in their report, the first one first. */
export function withOrigin<T extends Described>(contents: T, parent: string, changes: readonly string[]): T {
  const before = Array.isArray(contents.report.export) ? contents.report.export : [];
  const origin = [...before, { parent, changes: [...changes] }];
  return { ...contents, report: { ...contents.report, export: origin } };
}

function refusePrivate(
  { containsTrainingData, kind, tensors }: Described,
  { dataTerms }: Statements,
  file: string,
): void {
  if (containsTrainingData) {
    const which = tensors.find(({ name }) => /(^|\.)training/.test(name));
    const what = which ? `the tensor ${which.name}, [${which.shape.join(', ')}]` : 'in its tensors';
    const remedy = Object.hasOwn(primal, kind)
      ? '--primal replaces them by weights of voxels'
      : 'fit a decoder that keeps none (--storage primal)';
    throw new F2iError(
      'INVALID_ARGUMENT',
      `the bundle holds the responses of training trials (${what}): not to be shared; ${remedy}`,
      { file, field: 'containsTrainingData', expected: 'false', found: 'true' },
    );
  }
  if (dataTerms === undefined || dataTerms.trim() === '') {
    throw new F2iError(
      'INVALID_ARGUMENT',
      'a bundle to share states the terms of the data it was fitted on, even if they are "none stated": --data-terms TEXT',
      { file, field: 'dataTerms', expected: 'text', found: 'nothing' },
    );
  }
}

/** Means over fewer trials show the trials. */
const FEW_TRIALS = 20;

/** Tensors that a person can look at and recognise something in. */
const TELLING: readonly (readonly [tensor: string, what: string])[] = [
  ['target_mean', 'the mean of the training pictures or features (target_mean)'],
  ['voxel_mean', 'mean and standard deviation of each voxel (voxel_mean, voxel_std)'],
  ['baseline', 'the response of each used voxel to nothing (baseline)'],
  ['fields', 'the receptive field of each used voxel: a map of visual cortex (fields)'],
];

export function holdings({ containsTrainingData, tensors, report }: Described): string[] {
  const holds = [
    containsTrainingData ? 'responses of training trials' : 'no response and no stimulus of a single trial',
    ...TELLING.filter(([name]) =>
      tensors.some((tensor) => tensor.name === name || tensor.name.endsWith(`.${name}`)),
    ).map(([, what]) => what),
    'weights or parameters that were computed from the training trials',
  ];
  if (report.alignment !== undefined) {
    holds.push('a layer that was fitted to one person: which of their voxels tell what');
  }
  const { trials } = report;
  if (typeof trials === 'number' && trials < FEW_TRIALS) {
    holds.push(
      `means and weights of only ${trials} training trials: they are close to the trials themselves`,
    );
  }
  return holds;
}
