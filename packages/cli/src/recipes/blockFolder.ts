import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import {
  type ChosenAlphas,
  designTensor,
  encodeElements,
  F2iError,
  type HeadSpec,
  type HeadStatistics,
  type HeadStore,
  headTensor,
  type Json,
  type MatrixShard,
  matrixShards,
  STATISTICS,
  type StoredHead,
  type StoredRows,
} from '@fmri2image/core';
import { ioError, type NpyFileSink, npyFileSink } from '@fmri2image/node';
import {
  type Lock,
  lockRun,
  type MatrixFiles,
  type RunIdentity,
  unfinishedPath,
} from '../pipeline/workFolder.ts';

type FileHandle = Awaited<ReturnType<typeof open>>;

/** Blocks reach the disk, and the state says so, this often at most. */
const FLUSH_MILLISECONDS = 1000;
const NUMBER_BYTES = 8;

/** Errors of what a run reads: the same command would meet them again. */
const OF_INPUTS: ReadonlySet<string> = new Set([
  'FORMAT',
  'INVALID_ARGUMENT',
  'UNSUPPORTED',
  'NOT_POSITIVE_DEFINITE',
]);

/**
 * Numbers of a long fit, block by block in a hidden folder beside the output: weights in the files that the bundle will
 * have, predictions in npy files, statistics beside them. When the process is killed the folder stays; the same command
 * goes on behind the last block that surely lies on the disk.
 */
export class BlockFolder implements HeadStore {
  readonly path: string;
  readonly #lock: Lock;
  readonly #shardBytes: number | undefined;
  readonly #handles = new Map<string, FileHandle>();
  readonly #predictions = new Map<string, NpyFileSink>();
  /** Rows or targets that are written, and those that the state on the disk knows of; by matrix. */
  readonly #done: Map<string, number>;
  readonly #targets: ReadonlyMap<string, number>;
  #flushed = Number.NEGATIVE_INFINITY;
  /** Heads whose penalties are chosen. */
  readonly #penalties = new Set<string>();
  /** One after the other. */
  #flushing: Promise<void> = Promise.resolve();

  private constructor(
    lock: Lock,
    done: Map<string, number>,
    targets: ReadonlyMap<string, number>,
    shardBytes: number | undefined,
  ) {
    this.path = lock.path;
    this.#lock = lock;
    this.#done = done;
    this.#targets = targets;
    this.#shardBytes = shardBytes;
  }

  /**
   * @param output the folder that the run will write
   * @param targets of each head
   * @param restart throw away what an unfinished run left
   * @throws USAGE where the folder belongs to a run with another setting, naming it, or another process works in it
   */
  static async open(
    output: string,
    identity: RunIdentity,
    targets: ReadonlyMap<string, number>,
    { restart, shardBytes }: { restart?: boolean | undefined; shardBytes?: number | undefined } = {},
  ): Promise<BlockFolder> {
    const path = unfinishedPath(output);
    const beside = dirname(resolve(output));
    await mkdir(beside, { recursive: true }).catch((error) => {
      throw ioError(error, beside, 'write');
    });
    const count = [...targets.values()].reduce((sum, one) => sum + one, 0);
    const lock = await lockRun(path, identity, count, { restart });
    // What follows, packed responses first, belongs to this setting alone.
    await lock.writeState();
    return new BlockFolder(lock, new Map(Object.entries(lock.state.blocks ?? {})), targets, shardBytes);
  }

  /** Targets of a head that an earlier run has left. */
  startOf(head: string): number {
    return this.#done.get(head) ?? 0;
  }

  /** Targets that are made, of all heads. */
  get done(): number {
    return [...this.#targets.keys()].reduce((sum, head) => sum + (this.#done.get(head) ?? 0), 0);
  }

  get count(): number {
    return [...this.#targets.values()].reduce((sum, one) => sum + one, 0);
  }

  /** Files of weights, in the order in which they were begun. */
  get matrices(): readonly MatrixFiles[] {
    return this.#lock.state.matrices ?? [];
  }

  note(design: number): Json | undefined {
    return this.#lock.state.notes?.[design];
  }

  async keepNote(design: number, note: Json): Promise<void> {
    const { state } = this.#lock;
    state.notes = { ...state.notes, [design]: note };
    await this.flush();
  }

  /** The checksum of the file that marks an output, before the output gets its name: see `isPublished`. */
  async keepPublished(mark: string, sha256: string): Promise<void> {
    const { state } = this.#lock;
    state.published = { ...state.published, [mark]: sha256 };
    await this.flush();
  }

  isDone(head: string): boolean {
    return (this.#done.get(head) ?? 0) >= this.#targets.get(head)!;
  }

  async chosen(head: string): Promise<ChosenAlphas | undefined> {
    const bytes = await readFile(this.#file(`${head}.alphas`)).catch((error) => {
      if (error.code === 'ENOENT') return undefined;
      throw ioError(error, this.path, 'read');
    });
    if (!bytes) return undefined;
    const values = new Float64Array(new Uint8Array(bytes).buffer);
    const half = values.length / 2;
    if (half === this.#targets.get(head)) {
      this.#penalties.add(head);
      return { alphas: values.slice(0, half), scores: values.slice(half) };
    }
    throw new F2iError('FORMAT', 'not the penalties of an unfinished run; --restart begins anew', {
      file: this.#file(`${head}.alphas`),
      expected: `${this.#targets.get(head)} targets`,
      found: `${half}`,
    });
  }

  /** Under another name first: it is never half-written. */
  async keepChosen(head: string, { alphas, scores }: ChosenAlphas): Promise<void> {
    const path = this.#file(`${head}.alphas`);
    await this.#guarded(async () => {
      const file = await open(`${path}.new`, 'w');
      try {
        await file.writeFile(encodeElements(Float64Array.from([...alphas, ...scores])));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(`${path}.new`, path);
    });
    this.#penalties.add(head);
  }

  async head(spec: HeadSpec): Promise<StoredHead> {
    const { name } = spec;
    const weights = await this.#weightsOf(spec);
    const predictions = await this.#predictionsOf(spec);
    const statistics = await this.#handle(`${name}.statistics`);
    return {
      done: this.#done.get(name) ?? 0,
      write: (from, to, block, about) =>
        this.#guarded(async () => {
          await weights?.(from, to, block.weights!);
          await predictions?.(from, to, block.predictions!);
          const numbers = new Float64Array((to - from) * STATISTICS.length);
          for (let t = 0; t < to - from; t++) {
            for (const [i, part] of STATISTICS.entries())
              numbers[t * STATISTICS.length + i] = about[part][t]!;
          }
          await writeAt(statistics, encodeElements(numbers), from * STATISTICS.length * NUMBER_BYTES);
          await this.#advance(name, to);
        }),
    };
  }

  async training(design: number, voxels: number, rows: number): Promise<StoredRows> {
    const name = designTensor(design, 'training_voxels');
    const write = await this.#matrix({ name, dtype: 'f32', rows: voxels, columns: rows });
    return {
      done: this.#done.get(name) ?? 0,
      write: (from, to, values) =>
        this.#guarded(async () => {
          await write(from, to, values);
          await this.#advance(name, to);
        }),
    };
  }

  /** Statistics of all targets of a complete head. */
  async statistics(head: string): Promise<HeadStatistics> {
    const targets = this.#targets.get(head)!;
    const bytes = await this.#guarded(() => readFile(this.#file(`${head}.statistics`)));
    const numbers = new Float64Array(new Uint8Array(bytes).buffer);
    if (numbers.length !== targets * STATISTICS.length) {
      throw new F2iError('FORMAT', 'statistics of an unfinished run are missing; --restart begins anew', {
        file: this.#file(`${head}.statistics`),
        expected: `${targets} targets`,
        found: `${numbers.length / STATISTICS.length}`,
      });
    }
    const column = (i: number) =>
      Float64Array.from({ length: targets }, (_, t) => numbers[t * STATISTICS.length + i]!);
    return Object.fromEntries(STATISTICS.map((part, i) => [part, column(i)])) as unknown as HeadStatistics;
  }

  /** The npy file of a head’s predictions. */
  predictionFile(head: string): string {
    return this.#file(`${head}.npy`);
  }

  /** A file of the folder for other unfinished work: packed responses. */
  file(name: string): string {
    return this.#file(name);
  }

  /** Makes sure that nothing takes back what is done. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(
      () => this.#flush(),
      () => this.#flush(),
    );
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    await this.#guarded(async () => {
      for (const file of this.#handles.values()) await file.datasync();
      for (const sink of this.#predictions.values()) await sink.flush();
      const { state } = this.#lock;
      state.blocks = Object.fromEntries(this.#done);
      state.done = this.done;
      await this.#lock.writeState();
      this.#flushed = performance.now();
    });
  }

  /**
   * Ends a run that failed: what is made stays for a later one; where nothing is, the folder goes. Penalties alone stay
   * where the same command may succeed (a full disk), and an interrupted run keeps what it has read.
   *
   * @returns what to tell of it
   */
  async abandon(error: unknown, isInterrupted: boolean): Promise<string | undefined> {
    const failsAgain = error instanceof F2iError && OF_INPUTS.has(error.code);
    if (this.done === 0 && !isInterrupted && (failsAgain || this.#penalties.size === 0)) {
      await this.remove().catch(() => undefined);
      return undefined;
    }
    // What failed first is the news; the state on the disk is the last good one whatever happens here.
    await this.leave().catch(() => undefined);
    const next =
      failsAgain && !isInterrupted
        ? 'with other inputs, --restart begins anew'
        : 'the same command goes on from there';
    return `${this.done} of ${this.count} targets are made and kept in ${this.path}; ${next}`;
  }

  /** Leaves the work to a later run, which finds what was flushed. */
  async leave(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#close();
      await this.#lock.release();
    }
  }

  async remove(): Promise<void> {
    await this.#close();
    await this.#lock.remove();
  }

  async #close(): Promise<void> {
    await Promise.allSettled(
      [...this.#handles.values(), ...this.#predictions.values()].map((one) => one.close()),
    );
    this.#handles.clear();
    this.#predictions.clear();
  }

  /** What is written by now counts from the next flush on. */
  async #advance(name: string, to: number): Promise<void> {
    this.#done.set(name, to);
    if (performance.now() - this.#flushed >= FLUSH_MILLISECONDS) await this.flush();
  }

  async #predictionsOf({ name, predictions, shape }: HeadSpec): Promise<BlockWriter | undefined> {
    if (!predictions) return undefined;
    const open = this.#predictions.get(name);
    if (open) return (from, to, values) => open.write(from, to, values);
    const resume = (this.#done.get(name) ?? 0) > 0;
    const path = this.#file(`${name}.npy`);
    // What a run left before its first flush counts for nothing.
    if (!resume) await this.#guarded(() => rm(path, { force: true }));
    const sink = await npyFileSink(path, { rows: predictions.rows, shape, resume });
    this.#predictions.set(name, sink);
    return (from, to, values) => sink.write(from, to, values);
  }

  async #weightsOf({ name, weights, targets }: HeadSpec): Promise<BlockWriter | undefined> {
    if (!weights) return undefined;
    const { inputs: columns, dtype } = weights;
    return this.#matrix({ name: headTensor(name, 'weights'), dtype, rows: targets, columns });
  }

  /** Files of a matrix, each with its header; rows go to their place. */
  async #matrix({
    name,
    dtype,
    rows,
    columns,
  }: {
    name: string;
    dtype: 'f32' | 'f64';
    rows: number;
    columns: number;
  }): Promise<BlockWriter> {
    const shards = matrixShards(name, { dtype, rows, columns }, this.#shardBytes);
    const fileOf = (shard: MatrixShard) => `${name}-${shards.indexOf(shard)}.safetensors`;
    for (const shard of shards) {
      const file = await this.#handle(fileOf(shard));
      // A bundle may have the file under another name by now: what is right is not written again.
      if (!(await startsWith(file, shard.header))) await writeAt(file, shard.header, 0);
    }
    const { state } = this.#lock;
    const files = shards.map((shard) => ({
      file: fileOf(shard),
      rows: shard.to - shard.from,
      bytes: shard.bytes,
    }));
    state.matrices = [
      ...(state.matrices ?? []).filter((matrix) => matrix.name !== name),
      { name, dtype, shape: [rows, columns], files },
    ];
    const size = columns * (dtype === 'f64' ? 8 : 4);
    return async (from, to, values) => {
      const bytes = encodeElements(values);
      for (const shard of shards) {
        const [first, last] = [Math.max(from, shard.from), Math.min(to, shard.to)];
        if (first >= last) continue;
        const part = bytes.subarray((first - from) * size, (last - from) * size);
        await writeAt(
          this.#handles.get(fileOf(shard))!,
          part,
          shard.header.length + (first - shard.from) * size,
        );
      }
    };
  }

  /** Opened once; made where it is missing. */
  async #handle(name: string): Promise<FileHandle> {
    const known = this.#handles.get(name);
    if (known) return known;
    const path = this.#file(name);
    return this.#guarded(async () => {
      await (await open(path, 'a')).close();
      const handle = await open(path, 'r+');
      this.#handles.set(name, handle);
      return handle;
    });
  }

  #file(name: string): string {
    return join(this.path, name);
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw ioError(error, this.path, 'write');
    }
  }
}

type BlockWriter = (from: number, to: number, values: Float32Array | Float64Array) => Promise<void>;

async function startsWith(file: FileHandle, bytes: Uint8Array): Promise<boolean> {
  const found = Buffer.alloc(bytes.length);
  const { bytesRead } = await file.read(found, 0, found.length, 0);
  return bytesRead === bytes.length && found.equals(bytes);
}

/** One write() of the operating system takes at most 2 GiB. */
const LARGEST_WRITE = 2 ** 30;

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(
      bytes,
      at,
      Math.min(LARGEST_WRITE, bytes.length - at),
      position + at,
    );
    at += bytesWritten;
  }
}
