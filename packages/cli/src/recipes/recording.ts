import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import {
  type BundleInput,
  layoutOf,
  openRecording,
  type PackedRecording,
  packRecording,
  type Recording,
  type RecordingLayout,
  type Source,
  selectionChecksum,
  someVoxels,
} from '@fmri2image/core';
import { fileSource, nodeFolder, packFile } from '@fmri2image/node';
import type { Context } from '../context.ts';
import { decodePicture } from '../picture.ts';
import type { WatchedFiles } from './identity.ts';

/** Fewer bytes of responses than this are packed in memory. */
const IN_MEMORY_BYTES = 64 * 2 ** 20;

/** A recording, and how its files lie. */
export type OpenedRecording = Recording & { readonly layout: RecordingLayout };

export interface OpenOptions {
  readonly data?: string | undefined;
  readonly subject?: number | string | undefined;
  /** ROIs whose voxels are wanted, of files that hold more. */
  readonly roi?: string | undefined;
  /** Folder of the GLM's betas, of NSD. */
  readonly betas?: string | undefined;
  /** An image, or its path: voxels above 0 are read. */
  readonly mask?: Source | string | undefined;
  /** Voxels to leave out, by their indices in the selection's space. */
  readonly dropped?: readonly number[] | undefined;
  /** Notes the files that are opened. */
  readonly watched?: WatchedFiles | undefined;
}

/** Opens responses wherever they lie: NSD, MindEye's files of it, a derivative of BIDS, a study. */
export async function openAt(
  path: string,
  { data, subject, roi, betas, mask, dropped, watched }: OpenOptions,
  { signal }: Pick<Context, 'signal'>,
): Promise<OpenedRecording> {
  const isFile = await stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
  const root = isFile ? dirname(path) : path;
  const plain = await nodeFolder(root, { followLinks: true });
  const folder = watched?.watch(plain, root) ?? plain;
  const manifest = isFile ? basename(path) : undefined;
  const layout = await layoutOf(folder, manifest);
  // Other files hold the voxels that they hold: ROIs are chosen among them later.
  // A bundle's number is of a person of NSD; what others are called a user says.
  const isNsd = layout === 'nsd' || layout === 'mindeye';
  const recording = await openRecording(folder, {
    subject: typeof subject === 'number' && !isNsd ? undefined : subject,
    betas,
    mask: typeof mask === 'string' ? await maskAt(mask, watched) : mask,
    // With a mask, ROIs are chosen among its voxels.
    ...(layout === 'nsd' && mask === undefined && { roi }),
    ...(layout === 'study' && {
      manifest,
      data: data === undefined ? undefined : await nodeFolder(data),
      codec: decodePicture,
    }),
    signal,
  });
  return dropped === undefined ? recording : without(recording, dropped);
}

/** Those that are not there need not be left out. */
function without(recording: OpenedRecording, dropped: readonly number[]): OpenedRecording {
  const { indices } = recording.selection;
  const out = new Set(dropped);
  const kept = Int32Array.from(indices.keys()).filter((column) => !out.has(indices[column]!));
  return { ...someVoxels(recording, kept), layout: recording.layout };
}

async function maskAt(path: string, watched: WatchedFiles | undefined): Promise<Source> {
  const source = await fileSource(path);
  watched?.paths.set('mask', path);
  return source;
}

/** What packed responses take in memory: nothing where they are so many that they go to a file. */
export function inMemoryBytes({ voxels, trials }: Recording): number {
  const bytes = 4 * voxels * trials.length;
  return bytes > IN_MEMORY_BYTES ? 0 : bytes;
}

/**
 * Packs responses so that some voxels of all trials lie together.
 *
 * @param file for those that are too many for memory; what an earlier run packed there is kept
 * @param badVoxels what to do with those that are not finite in some trial
 */
export async function packed(
  recording: Recording,
  file: string,
  { console, signal }: Context,
  badVoxels: 'error' | 'drop' = 'error',
): Promise<PackedRecording> {
  return packRecording(recording, {
    store: inMemoryBytes(recording) === 0 ? await packFile(file) : undefined,
    badVoxels,
    signal,
    onProgress: ({ done, total, session }) => console.progress(`read session ${session}`, done / total),
  });
}

/**
 * Responses that are packed when everything else has been checked: designs are made of them before, and read after.
 *
 * @returns the responses, and what takes the packed ones
 */
export function toBePacked(
  recording: Recording,
): [PackedRecording, settle: (packed: PackedRecording) => void] {
  let packed: PackedRecording | undefined;
  const { readTrials: _, close: __, ...facts } = recording;
  const responses: PackedRecording = {
    ...facts,
    readVoxels: (...args) => packed!.readVoxels(...args),
    readSeries: (...args) => packed!.readSeries(...args),
    close: () => packed?.close(),
  };
  return [
    responses,
    (done) => {
      packed = done;
    },
  ];
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
