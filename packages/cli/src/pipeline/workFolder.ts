import { mkdir, open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { encodeElements, F2iError, type Features, type Json, npyHeader } from '@fmri2image/core';
import { type AdoptFile, hasEnded, ioError, processMark } from '@fmri2image/node';
import { z } from 'zod';
import { differenceOf, otherRun } from './otherRun.ts';
import { commandLine } from './results.ts';

/** One output of a model, as a file of rows. */
export interface OutputFile {
  readonly name: string;
  /** `tokens.npy` */
  readonly file: string;
  /** Of one reconstruction. */
  readonly shape: readonly number[];
  /** File of what a decoder without a brain would give: the mean training target, [1, ...shape]. */
  readonly mean?: string | undefined;
}

/** What must be the same for a run to go on where another stopped. */
export type RunIdentity = Readonly<Record<string, Json>>;

const matrix = z.strictObject({
  name: z.string(),
  dtype: z.enum(['f32', 'f64']),
  shape: z.tuple([z.int().positive(), z.int().positive()]),
  files: z.array(z.strictObject({ file: z.string(), rows: z.int().positive(), bytes: z.int().positive() })),
});
/** A matrix in files of a bundle: `head.vision.weights`. */
export type MatrixFiles = z.infer<typeof matrix>;

const schema = z.strictObject({
  format: z.literal('fmri2image-unfinished'),
  version: z.literal(1),
  identity: z.record(z.string(), z.json()),
  count: z.int().positive(),
  done: z.int().nonnegative(),
  /** What was typed: the same goes on. */
  command: z.string(),
  outputs: z.array(
    z.strictObject({ name: z.string(), file: z.string(), shape: z.array(z.int().positive()) }),
  ),
  /** Of a fit that goes by blocks: how far each of its matrices is. */
  blocks: z.record(z.string(), z.int().nonnegative()).optional(),
  /** The files of those matrices, and what was said of the fit. */
  matrices: z.array(matrix).optional(),
  notes: z.record(z.string(), z.json()).optional(),
  /** SHA-256 of the file that marks an output (`model.json`), noted before the output gets its name. */
  published: z.record(z.string(), z.string()).optional(),
});
export type State = z.infer<typeof schema>;

const STATE = 'run.json';
const LOCK = 'lock';
/** Rows reach the disk, and the state says so, this often at most. */
const FLUSH_MILLISECONDS = 1000;

/**
 * Outputs of a long run, row by row in npy files of a hidden folder beside the folder that the run will write. When the
 * process is killed the folder stays; the same command goes on from the last row that surely lies on the disk.
 */
export class WorkFolder {
  readonly path: string;
  readonly #state: State;
  readonly #files = new Map<string, Awaited<ReturnType<typeof open>>>();
  #flushed = Number.NEGATIVE_INFINITY;
  /** Reconstructions that are made, and those that the state on the disk knows of. */
  #done: number;
  #kept: number;

  private constructor(path: string, state: State) {
    this.path = path;
    this.#state = state;
    this.#done = state.done;
    this.#kept = state.done;
  }

  /**
   * @param output the folder that the run will write
   * @param count reconstructions of the run
   * @param step reconstructions that are made together: a run goes on at a multiple of them, as if it had never stopped
   * @param restart throw away what an unfinished run left
   * @throws USAGE where the folder belongs to another run, or another process works in it
   */
  static async open(
    output: string,
    identity: RunIdentity,
    count: number,
    { restart = false, step = 1 }: { restart?: boolean | undefined; step?: number | undefined } = {},
  ): Promise<WorkFolder> {
    const path = unfinishedPath(output);
    return guarded(path, async () => {
      const { state } = await lockRun(path, identity, count, { restart });
      try {
        const folder = new WorkFolder(path, state);
        await folder.#takeUp(step);
        return folder;
      } catch (error) {
        await rm(join(path, LOCK), { force: true });
        throw error;
      }
    });
  }

  /** Reconstructions that are there. */
  get done(): number {
    return this.#done;
  }

  /** Those that a later run finds, whatever happened to the last ones. */
  get kept(): number {
    return this.#kept;
  }

  get outputs(): readonly OutputFile[] {
    return this.#state.outputs;
  }

  /** Adds one reconstruction: its outputs by name, the main one first. The first one settles names and shapes. */
  async append(outputs: ReadonlyMap<string, Features>): Promise<void> {
    await guarded(this.path, async () => {
      if (this.#state.outputs.length === 0) await this.#begin(outputs);
      for (const { name, shape } of this.#state.outputs) {
        const { data, shape: found } = outputs.get(name) ?? { data: new Float32Array(0), shape: [] };
        if (found.join() !== shape.join()) {
          throw new F2iError('INTERNAL', 'an output changed its shape during the run', {
            field: name,
            expected: `[${shape}]`,
            found: `[${found}]`,
          });
        }
        await this.#files.get(name)!.appendFile(encodeElements(data));
      }
      this.#done++;
      if (performance.now() - this.#flushed >= FLUSH_MILLISECONDS) await this.flush();
    });
  }

  /** Makes sure that a power cut takes nothing of what is done. */
  async flush(): Promise<void> {
    await guarded(this.path, async () => {
      for (const file of this.#files.values()) await file.datasync();
      this.#state.done = this.#done;
      await this.#writeState();
      this.#kept = this.#done;
      this.#flushed = performance.now();
    });
  }

  /** Gives the finished files to an output folder. */
  async handOver(adopt: AdoptFile): Promise<void> {
    await this.flush();
    for (const { file } of this.#state.outputs) await adopt(file, join(this.path, file));
  }

  /**
   * Leaves the work to a later run; a folder without any goes.
   *
   * @throws IO where the last rows do not reach the disk (it may be full): `kept` are there, and the lock is gone all the same
   */
  async leave(): Promise<void> {
    try {
      if (this.#files.size > 0) await this.flush();
    } finally {
      if (this.#kept === 0) await this.remove();
      else {
        await this.#close();
        await release(this.path);
      }
    }
  }

  async remove(): Promise<void> {
    await this.#close();
    await guarded(this.path, () => rm(this.path, { recursive: true, force: true }));
  }

  /** What could not be written to a file was said when it was written. */
  async #close(): Promise<void> {
    await Promise.allSettled([...this.#files.values()].map((file) => file.close()));
    this.#files.clear();
  }

  async #begin(outputs: ReadonlyMap<string, Features>): Promise<void> {
    for (const [name, { shape }] of outputs) {
      const file = `${name}.npy`;
      await writeFile(join(this.path, file), npyHeader('f32', [this.#state.count, ...shape]));
      this.#state.outputs.push({ name, file, shape: [...shape] });
      this.#files.set(name, await open(join(this.path, file), 'a'));
    }
    await this.#writeState();
  }

  /** Cuts the files behind the last rows that all of them hold, and opens them for more. */
  async #takeUp(step: number): Promise<void> {
    const { count, outputs } = this.#state;
    const extents = await Promise.all(
      outputs.map(async ({ file, shape }) => {
        const header = npyHeader('f32', [count, ...shape]).length;
        const row = 4 * shape.reduce((product, extent) => product * extent, 1);
        const { size } = await stat(join(this.path, file));
        return { header, row, rows: Math.floor((size - header) / row) };
      }),
    );
    const whole = Math.max(0, Math.min(this.#state.done, ...extents.map(({ rows }) => rows)));
    this.#done = whole === count ? count : whole - (whole % step);
    this.#kept = this.#done;
    for (const [i, { name, file, shape }] of outputs.entries()) {
      const path = join(this.path, file);
      const { header, row } = extents[i]!;
      if (this.#done === 0) await writeFile(path, npyHeader('f32', [count, ...shape]));
      else await truncate(path, header + this.#done * row);
      this.#files.set(name, await open(path, 'a'));
    }
  }

  async #writeState(): Promise<void> {
    await writeState(this.path, this.#state);
  }
}

/** Where the work of a run lies until its output is complete. */
export const unfinishedPath = (output: string): string =>
  join(dirname(resolve(output)), `.${basename(resolve(output))}.unfinished`);

/** A folder of unfinished work that belongs to this process. */
export interface Lock {
  readonly path: string;
  readonly state: State;
  writeState(): Promise<void>;
  /** Leaves the work to a later run. */
  release(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Takes a folder of unfinished work, or begins one.
 *
 * @throws USAGE where it belongs to a run with another setting, naming it, or another process works in it
 */
export async function lockRun(
  path: string,
  identity: RunIdentity,
  count: number,
  { restart = false }: { restart?: boolean | undefined } = {},
): Promise<Lock> {
  return guarded(path, async () => {
    await mkdir(path, { recursive: true });
    await lock(path);
    try {
      if (restart) await clear(path);
      let found = await readState(path);
      const other = found && differenceOf(found, { identity, count });
      // What lies there without a state, or of a run that came to nothing, belongs to no setting.
      if (found && other && !(await holdsWork(path, found))) found = undefined;
      else if (other) throw otherRun(join(path, STATE), other);
      if (!found) await clear(path);
      const state: State = found ?? {
        command: commandLine(),
        format: 'fmri2image-unfinished',
        version: 1,
        identity: { ...identity },
        count,
        done: 0,
        outputs: [],
      };
      return {
        path,
        state,
        writeState: () => writeState(path, state),
        release: () => release(path),
        remove: () => guarded(path, () => rm(path, { recursive: true, force: true })),
      };
    } catch (error) {
      await rm(join(path, LOCK), { force: true });
      throw error;
    }
  });
}

/** Something that took time and that only the same run can use: results, or penalties that were chosen. */
async function holdsWork(path: string, { done }: State): Promise<boolean> {
  return done > 0 || (await readdir(path)).some((name) => name.endsWith('.alphas'));
}

async function release(path: string): Promise<void> {
  for (const name of [`${STATE}.new`, LOCK]) await rm(join(path, name), { force: true, recursive: true });
}

/** Under another name first: a state is never half-written. */
async function writeState(folder: string, state: State): Promise<void> {
  const path = join(folder, STATE);
  await writeFile(`${path}.new`, JSON.stringify(state));
  await rename(`${path}.new`, path);
}

async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw ioError(error, path, 'write');
  }
}

/** One process at a time. */
async function lock(path: string): Promise<void> {
  const file = join(path, LOCK);
  const holder = await readFile(file, 'utf8').catch(() => undefined);
  if (holder !== undefined && (holder === '' || hasEnded(holder))) await rm(file, { force: true });
  await writeFile(file, processMark(), { flag: 'wx' }).catch(async (error) => {
    if (error.code !== 'EEXIST') {
      await rm(file, { force: true });
      throw error;
    }
    throw new F2iError('USAGE', 'another process is at this run; if none is, remove the file', { file });
  });
}

async function clear(path: string): Promise<void> {
  for (const name of await readdir(path)) if (name !== LOCK) await rm(join(path, name), { recursive: true });
}

/** An unfinished run, as its folder tells it. */
export interface UnfinishedRun {
  readonly done: number;
  readonly count: number;
  /** What was typed, and goes on when it is typed again. */
  readonly command: string;
  readonly outputs: readonly OutputFile[];
  readonly settings: RunIdentity;
  /** Of a fit that goes by blocks: how far each of its matrices is. */
  readonly blocks?: Readonly<Record<string, number>> | undefined;
  /** SHA-256 of the files that mark its outputs, of those that may have their names already. */
  readonly published?: Readonly<Record<string, string>> | undefined;
  /** A process is at it now. */
  readonly underWay: boolean;
}

/** Reads the state of a folder of unfinished work; undefined where it is none. */
export async function readUnfinished(path: string): Promise<UnfinishedRun | undefined> {
  const state = await readState(path);
  if (!state) return undefined;
  const { done, count, command, outputs, identity, blocks, published } = state;
  const holder = await readFile(join(path, LOCK), 'utf8').catch(() => '');
  return {
    done,
    count,
    command,
    outputs,
    settings: identity,
    blocks,
    published,
    underWay: holder !== '' && !hasEnded(holder),
  };
}

async function readState(path: string): Promise<State | undefined> {
  const text = await readFile(join(path, STATE), 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new F2iError('FORMAT', 'not the state of an unfinished run; --restart begins anew', {
    file: join(path, STATE),
  });
}
