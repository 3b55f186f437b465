import { createRandom, type PackStore, type RecordedTrial, type Recording } from '../../src/index.ts';

export interface SketchOptions {
  sessions?: number;
  /** Of each session. */
  trials?: number;
  voxels?: number;
  seed?: number;
  /** Changes the responses before they are read. */
  change?: (data: Float32Array) => void;
}

/** Runs of a session. */
const RUNS = 2;

/**
 * A small recording of the shape of NSD: pictures 0 to 4 are shared, each shown up to three times anywhere; sessions differ
 * in mean and spread, as they do in scanners.
 */
export function sketchRecording({
  sessions = 3,
  trials = 40,
  voxels = 73,
  seed = 1,
  change,
}: SketchOptions = {}): Recording & { readonly data: Float32Array; reads: [number, number][] } {
  const random = createRandom(seed);
  const count = sessions * trials;
  const shown = random.shuffle(Array.from({ length: count }, (_, i) => Math.floor(i / 3)));
  const seen = new Map<number, number>();
  const table = shown.map((stimulus, i): RecordedTrial => {
    const repeat = seen.get(stimulus) ?? 0;
    seen.set(stimulus, repeat + 1);
    const shared = stimulus < 5;
    return {
      session: `${Math.floor(i / trials) + 1}`,
      run: `${Math.floor(((i % trials) * RUNS) / trials) + 1}`,
      stimulus,
      repeat,
      shared,
      split: shared ? 'test' : 'train',
    };
  });
  const data = new Float32Array(count * voxels);
  for (let t = 0; t < count; t++) {
    const session = Math.floor(t / trials);
    for (let v = 0; v < voxels; v++)
      data[t * voxels + v] = (1 + session) * random.normal() + 3 * session + v / 10;
  }
  change?.(data);
  const reads: [number, number][] = [];
  return {
    name: 'sketch',
    data,
    reads,
    trials: table,
    voxels,
    selection: {
      description: 'all',
      indices: Int32Array.from({ length: voxels }, (_, v) => 2 * v),
      space: { kind: 'matrix', columns: 2 * voxels },
    },
    regions: new Map([
      ['whole', Int32Array.from({ length: voxels }, (_, v) => v)],
      ['streams', Int32Array.of(1, 2, 3, 60, 66)],
      ['streams:early', Int32Array.of(2, 3, 66)],
      ['streams:ventral', Int32Array.of(1, 60)],
      ['faces:ventral', Int32Array.of(5)],
      ['faces:FFA-1', Int32Array.of(5, 7)],
    ]),
    ledger: [{ step: 'betas', runs: [], sawTest: 'unknown' }],
    warnings: ['odd'],
    async readTrials(from, to) {
      reads.push([from, to]);
      return data.slice(from * voxels, to * voxels);
    },
    close: () => undefined,
  };
}

/** A store in memory that can be told to fail after so many writes. */
export function memoryStore(): PackStore & { bytes: Uint8Array; failAfter: number; writes: number } {
  return {
    name: 'pack.bin',
    bytes: new Uint8Array(0),
    failAfter: Number.POSITIVE_INFINITY,
    writes: 0,
    async size() {
      return this.bytes.length;
    },
    async read(offset, length) {
      if (offset + length > this.bytes.length) throw new Error('read beyond the end');
      return this.bytes.slice(offset, offset + length);
    },
    async write(offset, bytes) {
      if (++this.writes > this.failAfter) throw new Error('killed');
      if (offset + bytes.length > this.bytes.length) {
        const grown = new Uint8Array(offset + bytes.length);
        grown.set(this.bytes);
        this.bytes = grown;
      }
      this.bytes.set(bytes, offset);
    },
    async sync() {},
    close() {},
  };
}
