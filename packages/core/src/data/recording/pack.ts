import { sha256 } from '../../bundle/hash.ts';
import { F2iError } from '../../error.ts';
import { allocate, decodeElements, encodeElements } from '../ndarray.ts';
import { pacer } from '../pause.ts';
import { selectionChecksum } from '../study/selection.ts';
import {
  isBegun,
  PACK_BLOCK,
  PACK_TRIALS,
  type PackedRecording,
  type PackIdentity,
  type PackLayout,
  type PackSegment,
  type PackStore,
  packLayout,
} from './packed.ts';
import type { RecordedTrial, Recording, RecordingFacts } from './recording.ts';
import { checkColumns } from './regions.ts';
import { factsOf, takeVoxels } from './someVoxels.ts';

export interface PackOptions {
  /** Voxels to keep, ascending; default all. */
  columns?: Int32Array | undefined;
  /** Where to; default memory. What an earlier, interrupted call had finished there is kept. */
  store?: PackStore | undefined;
  /** What to do with voxels that are not finite in some trial: refuse them, or leave them out. Default `error`. */
  badVoxels?: 'error' | 'drop' | undefined;
  signal?: AbortSignal | undefined;
  onProgress?:
    | ((progress: { readonly done: number; readonly total: number; readonly session: string }) => void)
    | undefined;
}

/**
 * Reads a recording once, session after session, and keeps the wanted voxels in an order in which some voxels of all
 * trials are read fast and with little memory. At most 1000 trials of all voxels are in memory at a time.
 *
 * @throws FORMAT, counting them, for voxels that are not finite; USAGE for a store that holds something else; what reading
 *   and writing throw. After an error or a cancellation the store can be taken up again
 */
export async function packRecording(
  recording: Recording,
  { columns, store, badVoxels = 'error', signal, onProgress }: PackOptions = {},
): Promise<PackedRecording> {
  const kept = columns ?? Int32Array.from({ length: recording.voxels }, (_, voxel) => voxel);
  checkColumns(kept, recording.voxels);
  const identity = await identityOf(recording, kept);
  const sink = store ? await storeSink(store, identity) : memorySink(identity);
  const { segments } = identity;
  for (const [i, segment] of segments.entries()) {
    onProgress?.({ done: i, total: segments.length, session: segment.session });
    if (await sink.isDone(i)) continue;
    const all = await recording.readTrials(segment.start, segment.end, signal);
    await sink.put(i, takeVoxels(all, recording.voxels, kept), signal);
  }
  onProgress?.({ done: segments.length, total: segments.length, session: segments.at(-1)?.session ?? '' });
  const bad = await sink.bad();
  const places = Int32Array.from(kept.keys()).filter((place) => bad[place] === 0);
  const dropped = kept.length - places.length;
  if (dropped > 0 && (badVoxels === 'error' || places.length === 0)) {
    const first = bad.findIndex((one) => one !== 0);
    const series = await sink.read(Int32Array.of(first), signal);
    const where = placeOf(recording, kept[first]!, series);
    throw new F2iError(
      'FORMAT',
      `values that are not finite in ${dropped} of ${kept.length} voxels, first in ${where}; badVoxels: 'drop' (--drop-bad-voxels) leaves them out`,
      { file: recording.name, field: 'voxels', expected: 'finite numbers' },
    );
  }
  const warnings =
    dropped > 0 ? [`left out ${dropped} of ${kept.length} voxels with values that are not finite`] : [];
  const readSeries = async (wanted: Int32Array, readSignal?: AbortSignal) => {
    checkColumns(wanted, places.length);
    return sink.read(
      wanted.map((column) => places[column]!),
      readSignal,
    );
  };
  return {
    ...factsOf(
      recording,
      places.map((place) => kept[place]!),
    ),
    warnings: [...recording.warnings, ...warnings],
    readSeries,
    readVoxels: async (wanted, readSignal) =>
      byTrials(await readSeries(wanted, readSignal), recording.trials.length),
    close: () => store?.close(),
  };
}

/** `voxel (12, 40, 3), trial 71 (session 2, run 3)`: where to look for what is wrong. */
function placeOf({ selection, trials }: RecordingFacts, column: number, series: Float32Array): string {
  const { space, indices } = selection;
  const index = indices[column]!;
  let voxel = `${column}`;
  if (space?.kind === 'image') {
    const [x, y] = space.grid;
    voxel = `(${index % x}, ${Math.floor(index / x) % y}, ${Math.floor(index / (x * y))})`;
  }
  const trial = series.findIndex((value) => !Number.isFinite(value));
  const { session, run } = trials[trial]!;
  return `voxel ${voxel}, trial ${trial + 1} (session ${session}, run ${run})`;
}

async function identityOf(recording: Recording, kept: Int32Array): Promise<PackIdentity> {
  const { name, trials, selection } = recording;
  const told = trials.map(({ session, run, stimulus, repeat, shared, split, label }) => [
    session,
    run,
    stimulus,
    repeat,
    shared ?? null,
    split ?? null,
    label ?? null,
  ]);
  const which = [await selectionChecksum(selection), Array.from(kept)];
  return {
    name,
    trials: trials.length,
    voxels: kept.length,
    block: PACK_BLOCK,
    segments: segmentsOf(trials),
    checksum: await sha256(new TextEncoder().encode(JSON.stringify([told, which]))),
  };
}

function segmentsOf(trials: readonly RecordedTrial[]): PackSegment[] {
  const segments: { session: string; start: number; end: number }[] = [];
  for (const [trial, { session }] of trials.entries()) {
    const last = segments.at(-1);
    if (last?.session === session && last.end - last.start < PACK_TRIALS) last.end = trial + 1;
    else segments.push({ session, start: trial, end: trial + 1 });
  }
  return segments;
}

/** Where responses go, and are read from. */
interface Sink {
  isDone(segment: number): Promise<boolean>;
  put(segment: number, values: Float32Array, signal?: AbortSignal): Promise<void>;
  /** A byte for each voxel: 1 where a value is not finite. */
  bad(): Promise<Uint8Array>;
  /** [places, trials] */
  read(places: Int32Array, signal?: AbortSignal): Promise<Float32Array>;
}

function memorySink({ trials, voxels, segments, name }: PackIdentity): Sink {
  const data = allocate('f32', trials * voxels, name);
  const bad = new Uint8Array(voxels);
  return {
    isDone: async () => false,
    async put(segment, values) {
      const { start, end } = segments[segment]!;
      noteBad(values, voxels, bad);
      const part = turned(values, end - start, voxels, 0, voxels);
      for (let v = 0; v < voxels; v++) {
        data.set(part.subarray(v * (end - start), (v + 1) * (end - start)), v * trials + start);
      }
    },
    bad: async () => bad,
    async read(places) {
      const out = allocate('f32', trials * places.length, name);
      for (const [c, place] of places.entries()) {
        out.set(data.subarray(place * trials, (place + 1) * trials), c * trials);
      }
      return out;
    },
  };
}

async function storeSink(store: PackStore, identity: PackIdentity): Promise<Sink> {
  const { trials, voxels, segments, block: width, name } = identity;
  const layout = packLayout(identity);
  if (!(await isBegun(store, layout))) await begin(store, layout);
  const bad = await readFlags(store, layout.badAt, voxels);
  const done = await readFlags(store, layout.doneAt, segments.length);
  const blockAt = (block: number) => layout.dataAt + 4 * block * width * trials;
  const widthOf = (block: number) => Math.min(width, voxels - block * width);
  return {
    isDone: async (segment) => done[segment] === 1,
    async put(segment, values, signal) {
      const { start, end } = segments[segment]!;
      const rows = end - start;
      noteBad(values, voxels, bad);
      const breathe = pacer(signal, `packing ${name}`);
      for (let block = 0; block * width < voxels; block++) {
        const own = widthOf(block);
        const part = turned(values, rows, voxels, block * width, own);
        await store.write(blockAt(block) + 4 * start * own, encodeElements(part));
        await breathe();
      }
      await store.write(layout.badAt, bad);
      // Only what is surely on disk counts as done.
      await store.sync();
      done[segment] = 1;
      await store.write(layout.doneAt + segment, Uint8Array.of(1));
      await store.sync();
    },
    bad: async () => bad,
    async read(places, signal) {
      const out = allocate('f32', trials * places.length, name);
      const breathe = pacer(signal, `reading ${name}`);
      for (let first = 0; first < places.length; ) {
        const block = Math.floor(places[first]! / width);
        let next = first;
        while (next < places.length && Math.floor(places[next]! / width) === block) next++;
        const own = widthOf(block);
        const bytes = await store.read(blockAt(block), 4 * trials * own, signal);
        const values = decodeElements(bytes, 'f32', store.name);
        for (const { start, end } of segments) {
          for (let c = first; c < next; c++) {
            const from = start * own + (places[c]! - block * width) * (end - start);
            out.set(values.subarray(from, from + end - start), c * trials + start);
          }
        }
        first = next;
        await breathe();
      }
      return out;
    },
  };
}

/** Columns [from, from + count) of rows, voxel by voxel: [count, rows]. */
function turned(
  values: Float32Array,
  rows: number,
  width: number,
  from: number,
  count: number,
): Float32Array {
  const out = new Float32Array(rows * count);
  // In tiles, so that both sides stay in the cache.
  for (let c0 = 0; c0 < count; c0 += TILE) {
    const c1 = Math.min(count, c0 + TILE);
    for (let r0 = 0; r0 < rows; r0 += TILE) {
      const r1 = Math.min(rows, r0 + TILE);
      for (let r = r0; r < r1; r++) {
        for (let c = c0; c < c1; c++) out[c * rows + r] = values[r * width + from + c]!;
      }
    }
  }
  return out;
}

/** [voxels, trials] to [trials, voxels]. */
const byTrials = (series: Float32Array, trials: number): Float32Array =>
  turned(series, series.length / trials, trials, 0, trials);

/** Values along both sides that are turned together. */
const TILE = 32;

/** A new file: everything up to the responses, so that a file of full length has a whole header. */
async function begin(store: PackStore, { header, dataAt }: PackLayout): Promise<void> {
  const start = new Uint8Array(dataAt);
  start.set(header);
  await store.write(0, start);
  await store.sync();
}

async function readFlags(store: PackStore, offset: number, count: number): Promise<Uint8Array> {
  return (await store.read(offset, count)).slice();
}

function noteBad(values: Float32Array, voxels: number, bad: Uint8Array): void {
  for (let at = 0; at < values.length; ) {
    for (let v = 0; v < voxels; v++, at++) if (!Number.isFinite(values[at]!)) bad[v] = 1;
  }
}
