import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import {
  type BundleInput,
  layoutOf,
  openRecording,
  type PackedRecording,
  packRecording,
  type Recording,
  selectionChecksum,
} from '@fmri2image/core';
import { nodeFolder, packFile } from '@fmri2image/node';
import type { Context } from '../context.ts';
import { decodePicture } from '../picture.ts';

/** Fewer bytes of responses than this are packed in memory. */
const IN_MEMORY_BYTES = 64 * 2 ** 20;

export interface OpenOptions {
  readonly data?: string | undefined;
  readonly subject?: number | string | undefined;
  /** ROIs whose voxels are wanted, of files that hold more. */
  readonly roi?: string | undefined;
}

/** Opens responses wherever they lie: NSD, MindEye's files of it, a derivative of BIDS, a study. */
export async function openAt(
  path: string,
  { data, subject, roi }: OpenOptions,
  { signal }: Pick<Context, 'signal'>,
): Promise<Recording> {
  const isFile = await stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
  const folder = await nodeFolder(isFile ? dirname(path) : path, { followLinks: true });
  const manifest = isFile ? basename(path) : undefined;
  const layout = await layoutOf(folder, manifest);
  // Other files hold the voxels that they hold: ROIs are chosen among them later.
  return openRecording(folder, {
    subject,
    ...(layout === 'nsd' && { roi }),
    ...(layout === 'study' && {
      manifest,
      data: data === undefined ? undefined : await nodeFolder(data),
      codec: decodePicture,
    }),
    signal,
  });
}

/**
 * Packs responses so that some voxels of all trials lie together.
 *
 * @param file for those that are too many for memory; what an earlier run packed there is kept
 */
export async function packed(
  recording: Recording,
  file: string,
  { console, signal }: Context,
): Promise<PackedRecording> {
  const bytes = 4 * recording.voxels * recording.trials.length;
  return packRecording(recording, {
    store: bytes > IN_MEMORY_BYTES ? await packFile(file) : undefined,
    signal,
    onProgress: ({ done, total, session }) => console.progress(`read session ${session}`, done / total),
  });
}

/** The voxels of a recording, as a bundle names them. */
export async function inputOf({ voxels, selection }: PackedRecording | Recording): Promise<BundleInput> {
  return {
    voxels,
    selection: selection.description,
    selectionSha256: await selectionChecksum(selection),
  };
}

/** Sessions of some trials, in order. */
export const sessionsOf = ({ trials }: Recording | PackedRecording, rows: Iterable<number>): string[] => [
  ...new Set([...rows].map((trial) => trials[trial]!.session)),
];
