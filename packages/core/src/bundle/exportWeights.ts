import type { Folder, WriteFile } from '../data/source.ts';
import { F2iError } from '../error.ts';
import {
  type ExportOptions,
  holdings,
  type PreparedExport,
  refuseNewer,
  restate,
  withOrigin,
} from './export.ts';
import { CHUNK_BYTES } from './hash.ts';
import type { OpenedWeights } from './open.ts';
import { writeModel } from './save.ts';
import { MODEL_FILE } from './schema.ts';

/** A copy of a bundle whose files of weights stay as they are. */
export interface PreparedCopy extends Pick<PreparedExport, 'changes' | 'holds' | 'options'> {
  readonly containsTrainingData: boolean;
  /** Writes it, piece by piece. Returns its content hash. */
  write(write: WriteFile, signal?: AbortSignal): Promise<string>;
}

/**
 * Prepares a copy of a bundle of converted or aligned weights with other statements, or fit to be shared: the same files
 * of weights, another `model.json`. Without a change it is the same bundle. All checksums are verified.
 *
 * @throws INVALID_ARGUMENT for what must not be shared, naming the field and the remedy, and for `primal`; UNSUPPORTED
 *   for a bundle of a newer version; FORMAT
 */
export async function prepareCopy(
  { model, complete }: OpenedWeights,
  folder: Folder,
  options: ExportOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<PreparedCopy> {
  const file = `${folder.name}/${MODEL_FILE}`;
  refuseNewer(model, file);
  if (options.primal) {
    const message = model.containsTrainingData
      ? 'weights of voxels are made by fitting anew: fit --recipe ... --storage primal'
      : 'the bundle holds no responses of training trials to replace';
    throw new F2iError('INVALID_ARGUMENT', message, {
      file,
      field: 'primal',
      expected: 'a bundle of kind ridge',
      found: model.kind,
    });
  }
  const { kind, input, output, config, report, ledger, seed, containsTrainingData } = model;
  const tensors = Object.entries(model.tensors).map(([name, tensor]) => ({ name, ...tensor }));
  const described = { kind, input, output, config, report, ledger, seed, containsTrainingData, tensors };
  const { contents, changes, options: statements } = restate(described, model, options, file);
  await complete(signal);
  return {
    changes,
    options: statements,
    holds: holdings(contents),
    containsTrainingData,
    async write(write, writeSignal) {
      for (const name of Object.keys(model.files)) await copyFile(folder, name, write, writeSignal);
      if (changes.length === 0) {
        await copyFile(folder, MODEL_FILE, write, writeSignal);
        return model.contentHash;
      }
      const { tensors: _, ...fields } = withOrigin(contents, model.contentHash, changes);
      const { tensors, files, formatVersion: version } = model;
      return writeModel({ ...fields, tensors, files }, write, { version, ...statements });
    },
  };
}

/** A file as it is, piece by piece: it was verified. */
async function copyFile(
  folder: Folder,
  name: string,
  write: WriteFile,
  signal: AbortSignal | undefined,
): Promise<void> {
  const source = await folder.open(name);
  async function* pieces() {
    for (let at = 0; at < source.size; at += CHUNK_BYTES) {
      yield source.read(at, Math.min(CHUNK_BYTES, source.size - at), signal);
    }
  }
  await write(name, pieces());
}
