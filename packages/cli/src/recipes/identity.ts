import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Backend, type Folder, type Json, kindOfDevice, selectionChecksum } from '@fmri2image/core';
import { ioError } from '@fmri2image/node';
import { checksum } from '../pipeline/responses.ts';
import type { OpenedRecording } from './recording.ts';

/** Notes which files of a folder are opened: what a run depends on, whatever their layout. */
export class WatchedFiles {
  /** Paths as the system knows them, by what errors call them. */
  readonly paths = new Map<string, string>();

  /** The same folder, whose files are noted. */
  watch(folder: Folder, path: string): Folder {
    return {
      name: folder.name,
      list: () => folder.list(),
      open: async (file) => {
        const source = await folder.open(file);
        this.paths.set(file, join(path, file));
        return source;
      },
    };
  }
}

/** Numbers are the same for any number of threads and on GPUs of one kind, but not on any device. */
export const deviceIdentity = ({ info }: Backend): string => kindOfDevice(info);

/** `clip.npy, 808464432 bytes of 2024-05-01T10:00:00.000Z` */
export async function fileIdentity(path: string): Promise<string> {
  const { size, mtime } = await stat(path).catch((error) => {
    throw ioError(error, path, 'read');
  });
  return `${basename(path)}, ${size} bytes of ${mtime.toISOString()}`;
}

/** More bytes of responses than this are known by their files. */
const LARGEST_CHECKSUM = 2 ** 30;

/**
 * What identifies responses: trials and voxels; of a study its responses themselves, of others, which are too many to read
 * twice, the files that were opened: name, size and time.
 */
export async function responsesIdentity(
  recording: OpenedRecording,
  { paths }: WatchedFiles,
  signal: AbortSignal,
): Promise<Record<string, Json>> {
  const { name, trials, voxels, selection, layout } = recording;
  const told = trials.map(({ session, run, stimulus, shared, split }) => [
    session,
    run,
    stimulus,
    shared,
    split,
  ]);
  const identity: Record<string, Json> = {
    recording: name,
    trials: `${trials.length} (${sha256(JSON.stringify(told))})`,
    voxels: `${voxels} (${(await selectionChecksum(selection))?.slice(0, 12) ?? 'of no known space'})`,
  };
  // A study lies in memory whole.
  if (layout === 'study' && 4 * voxels * trials.length <= LARGEST_CHECKSUM) {
    const data = await recording.readTrials(0, trials.length, signal);
    identity.responses = (await checksum({ data, shape: [trials.length, voxels] }, signal)).slice(0, 12);
    return identity;
  }
  for (const [file, path] of [...paths].sort()) identity[`responses.${file}`] = await fileIdentity(path);
  return identity;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12);
