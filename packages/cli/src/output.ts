import { mkdtemp, readdir, realpath, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { F2iError } from '@fmri2image/core';
import { ioError, nodeFolder } from '@fmri2image/node';

/** What a command writes, and the entries that make a folder recognisable as such, the first of them always there. */
const KINDS = {
  bundle: ['model.json', 'weights.safetensors', /^weights-\d{5}-of-\d{5}\.safetensors$/],
  'folder of reconstructions': [
    'reconstructions.json',
    'reconstructions.npy',
    'mean-training-picture.npy',
    'label-frequencies.npy',
    'labels.tsv',
    'tokens.npy',
    'retrieval.npy',
    'latent.npy',
    'prior.npy',
    'verification.json',
    // Of a recipe: a head's predictions, its mean training target, its scores.
    /^[a-z0-9][a-z0-9_-]*(\.mean)?\.npy$/i,
    /^scores-[a-z0-9_-]+\.tsv$/i,
    'pictures',
    'pictures.png',
    'receptive-fields.tsv',
    'scores.tsv',
    'evaluation.json',
  ],
  'folder of maps': [
    'maps.json',
    'maps.html',
    'regions.tsv',
    'decoded-regions.tsv',
    'figures',
    'dataset_description.json',
    'README',
    /^desc-[a-z0-9]+_statmap\.(nii\.gz|npy|json)$/i,
    /^sub-[a-z0-9]+$/i,
  ],
  report: [
    'report.json',
    'report.html',
    'scores.tsv',
    'scores.json',
    'receptive-fields.tsv',
    'figures',
    'pictures',
    'dataset_description.json',
    'README',
    /^sub-[a-z0-9]+(\.html)?$/i,
  ],
  'simulated NSD layout': [
    // Real files of NSD have the same names: only what says that it is simulated may be replaced.
    'simulated.json',
    'wds',
    /^betas_all_subj\d+_fp32_renorm\.hdf5$/,
    'nsddata',
    'nsddata_betas',
    'features',
  ],
  'simulated study': ['study.json', 'voxels.npy', 'pictures.npy', 'trials.tsv'],
} as const satisfies Record<string, readonly [string, ...(string | RegExp)[]]>;
export type OutputKind = keyof typeof KINDS;

export interface OutputRequest {
  readonly path: string;
  readonly kind: OutputKind;
  /** The user's --force. */
  readonly force: boolean | undefined;
  /** Files and folders that the command reads: none may be replaced. */
  readonly inputs?: readonly (string | undefined)[];
}

/**
 * Whether what is at the output may be replaced. Called before the work begins, so that nobody waits for a refusal.
 * --force replaces only what the same kind of command wrote; an empty folder counts as nothing.
 *
 * @returns options for `writeFolderAtomic`
 * @throws F2iError USAGE; IO where nothing can be written
 */
export async function prepareOutput({
  path,
  kind,
  force,
  inputs = [],
}: OutputRequest): Promise<{ force: boolean }> {
  const refuse = (message: string) => new F2iError('USAGE', message, { file: path });
  const output = await realOrResolved(path);
  for (const input of inputs) {
    if (input === undefined) continue;
    const read = await realOrResolved(input);
    if (`${read}${sep}`.startsWith(`${output}${sep}`)) {
      throw refuse(`the output would replace an input (${input}); name another folder`);
    }
  }
  // What an interrupted overwrite has moved aside is put back, and counts as being there.
  await nodeFolder(path).catch(() => undefined);
  const entry = await stat(path).catch(() => undefined);
  if (!entry) {
    await checkWritable(path);
    return { force: false };
  }
  if (!entry.isDirectory()) throw refuse('a file of this name exists; nothing was replaced');
  const entries = await readdir(path);
  if (entries.length === 0) {
    await checkWritable(path);
    return { force: true };
  }
  const known: readonly (string | RegExp)[] = KINDS[kind];
  const [mark] = KINDS[kind];
  const isKnown = (name: string) =>
    known.some((entry) => (typeof entry === 'string' ? entry === name : entry.test(name)));
  const foreign = entries.find((name) => !isKnown(name));
  if (foreign !== undefined || !entries.includes(mark)) {
    const what = foreign === undefined ? `no ${mark} is in it` : `it holds ${foreign}`;
    throw refuse(`it exists and is not a ${kind} (${what}); nothing was replaced`);
  }
  if (!force) throw refuse(`it exists already; --force replaces this ${kind}`);
  await checkWritable(path);
  return { force: true };
}

/**
 * Outputs are made beside their name. Whether that works only trying tells: permissions, media that are read-only and shares
 * of a network each refuse in their own way.
 *
 * @throws F2iError IO naming the output
 */
async function checkWritable(path: string): Promise<void> {
  let folder = dirname(resolve(path));
  while (folder !== dirname(folder) && !(await exists(folder))) folder = dirname(folder);
  try {
    await rmdir(await mkdtemp(join(folder, '.fmri2image-')));
  } catch (error) {
    throw ioError(error, path, 'write');
  }
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Through symbolic links as far as the path exists. */
async function realOrResolved(path: string): Promise<string> {
  const full = resolve(path);
  try {
    return await realpath(full);
  } catch {
    const parent = dirname(full);
    return parent === full ? full : join(await realOrResolved(parent), basename(full));
  }
}
