import { F2iError } from '../../error.ts';
import type { RecordingFacts } from './recording.ts';

/** Responses that were put in order for reading some voxels of all trials at once. */
export interface PackedRecording extends RecordingFacts {
  /**
   * Some voxels of all trials, row-major [trials, columns], in an array of its own.
   *
   * @param columns ascending
   */
  readVoxels(columns: Int32Array, signal?: AbortSignal): Promise<Float32Array>;
  /** The same voxel by voxel, [columns, trials]: as they lie, and so faster. */
  readSeries(columns: Int32Array, signal?: AbortSignal): Promise<Float32Array>;
  close(): void;
}

/**
 * A file that is written and read anywhere: what responses are packed in. Bytes that were never written read as zeros or
 * lie beyond the end.
 */
export interface PackStore {
  /** For errors. */
  readonly name: string;
  /** Bytes so far; 0 for a new one. */
  size(): Promise<number>;
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** What was written before is on disk before what is written after. */
  sync(): Promise<void>;
  close(): void;
}

/**
 * Voxels that lie together in a packed file: enough that a block of one session (750 trials: 192 kB) is worth a write, few
 * enough that a block of all trials (30,000: 7.7 MB) is no burden.
 */
export const PACK_BLOCK = 64;
/** Trials that are read at once. */
export const PACK_TRIALS = 1000;

const MARK = 'f2ipack1';
const ALIGNMENT = 4096;

/** Trials that are read, packed and noted as done together: a session, or a part of a long one. */
export interface PackSegment {
  readonly session: string;
  readonly start: number;
  readonly end: number;
}

/** What a packed file holds, as its header says. */
export interface PackIdentity {
  readonly name: string;
  readonly trials: number;
  readonly voxels: number;
  readonly block: number;
  readonly segments: readonly PackSegment[];
  /** SHA-256 of the trials and of which voxels these are. */
  readonly checksum: string;
}

/**
 * Where everything lies in a packed file: mark (8 bytes), length of the header (u32), header (JSON), a byte for each
 * segment (1: done), a byte for each voxel (1: not finite somewhere), and from the next multiple of 4096 bytes on the
 * responses, f32 little-endian, in blocks of voxels: block b holds, segment after segment, [voxels of b, trials of the
 * segment] row-major.
 */
export interface PackLayout {
  readonly header: Uint8Array;
  readonly doneAt: number;
  readonly badAt: number;
  readonly dataAt: number;
}

export function packLayout(identity: PackIdentity): PackLayout {
  const json = new TextEncoder().encode(JSON.stringify(identity));
  const header = new Uint8Array(12 + json.length);
  header.set(new TextEncoder().encode(MARK));
  new DataView(header.buffer).setUint32(8, json.length, true);
  header.set(json, 12);
  const doneAt = header.length;
  const badAt = doneAt + identity.segments.length;
  return { header, doneAt, badAt, dataAt: Math.ceil((badAt + identity.voxels) / ALIGNMENT) * ALIGNMENT };
}

/**
 * Whether a store holds what was begun before with the very same recording.
 *
 * @throws USAGE for a store with anything else in it
 */
export async function isBegun(store: PackStore, { header, dataAt }: PackLayout): Promise<boolean> {
  const size = await store.size();
  if (size === 0) return false;
  const start = size >= header.length ? await store.read(0, header.length) : new Uint8Array(0);
  if (size >= dataAt && header.every((byte, i) => start[i] === byte)) return true;
  // A file that was begun and never got past its header holds nothing: it may be begun again.
  const mark = new TextEncoder().encode(MARK);
  const own = await store.read(0, Math.min(size, mark.length));
  if (size < dataAt && own.every((byte, i) => mark[i] === byte)) return false;
  throw new F2iError('USAGE', 'it holds other responses than these; remove it, or name another file', {
    file: store.name,
    expected: 'packed responses of the same trials and voxels, or nothing',
  });
}
