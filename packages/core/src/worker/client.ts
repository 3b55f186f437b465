import type { MemoryStats } from '../backend.ts';
import type { PredictOptions, Reconstruction, ReconstructOptions } from '../decoders/decoder.ts';
import { isFolder } from '../decoders/files.ts';
import { disposed } from '../decoders/load.ts';
import type { LoadedDecoder, LoadOptions, LoadProgress } from '../decoders/loaded.ts';
import { Picture, type WritePictureFile } from '../decoders/picture.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import { checkOptions, PREDICT_OPTIONS, RECONSTRUCT_OPTIONS } from '../options.ts';
import { checkBetas, type Rows } from '../rows.ts';
import { linkedSignal } from '../signal.ts';
import { answerLimit, expectAnswer, noAnswer } from './answer.ts';
import { Connection, type Request } from './connection.ts';
import { folderAnswers } from './folder.ts';
import type { WorkerLike } from './port.ts';
import type { BetasMessage, DecoderMessage, Id, ItemMessage, SourceMessage } from './protocol.ts';
import { Reader } from './reader.ts';

export interface WorkerLoadOptions extends Pick<LoadOptions, 'signal' | 'onProgress' | 'workerTimeout'> {
  worker: WorkerLike;
  /** The module that the worker is to import, for people. */
  entry: string;
  /** Options for `loadDecoder` in the worker: anything that can be cloned. */
  settings: object;
  /** What `image.writePng(path)` uses, where there are files. */
  writeFile?: WritePictureFile | undefined;
}

/**
 * Opens a decoder in a worker that serves them.
 *
 * @param source a core `Folder`, whose bytes the worker asks for as it needs them, or anything that can be cloned and
 *   that `loadDecoder` in the worker understands
 * @throws what `loadDecoder` in the worker throws; WORKER_LOST, also where the worker never answers; CANCELLED
 */
export async function loadInWorker(source: unknown, options: WorkerLoadOptions): Promise<LoadedDecoder> {
  const { worker, entry, settings, signal, onProgress, writeFile } = options;
  throwIfAborted(signal, 'loading');
  const limit = answerLimit(options.workerTimeout);
  const connection = Connection.to(worker);
  const decoder = connection.newId();
  const folder = isFolder(source) ? source : undefined;
  const message: SourceMessage = folder
    ? { kind: 'folder', name: folder.name }
    : { kind: 'value', value: source };
  /** Ends the loading where nobody answers. */
  const silence = new AbortController();
  const link = linkedSignal(signal, silence.signal);
  const stop = expectAnswer(connection, limit, () => silence.abort());
  try {
    const loaded = (await ask(
      connection,
      { type: 'load', source: message, settings, lock: connection.lock },
      {
        decoder,
        signal: link.signal,
        what: 'loading',
        progress: onProgress,
        answer: folder && folderAnswers(folder, link.signal),
      },
    )) as DecoderMessage;
    return new RemoteDecoder(connection, decoder, loaded, writeFile);
  } catch (error) {
    // An answer may be on its way: what it names is not wanted any more.
    if (link.signal.aborted) void discard(connection, decoder);
    throw silence.signal.aborted && !signal?.aborted ? noAnswer(connection.heard, entry) : error;
  } finally {
    stop();
    link.release();
  }
}

/** A decoder that lives in a worker. */
class RemoteDecoder implements LoadedDecoder {
  readonly kind: string;
  readonly model: LoadedDecoder['model'];
  readonly backend: LoadedDecoder['backend'];
  readonly voxels: number;
  readonly output: LoadedDecoder['output'];
  readonly warnings: readonly string[];
  readonly lost: Promise<F2iError>;
  readonly #connection: Connection;
  readonly #id: Id;
  readonly #writeFile: WritePictureFile | undefined;
  #lost: F2iError | undefined;
  #disposal: Promise<void> | undefined;

  constructor(
    connection: Connection,
    id: Id,
    loaded: DecoderMessage,
    writeFile: WritePictureFile | undefined,
  ) {
    this.kind = loaded.kind;
    this.model = loaded.model;
    this.backend = loaded.backend;
    this.voxels = loaded.voxels;
    this.output = loaded.output;
    this.warnings = loaded.warnings;
    this.#connection = connection;
    this.#id = id;
    this.#writeFile = writeFile;
    this.lost = new Promise((resolve) => {
      connection.register(id, (error) => {
        this.#lost = error;
        resolve(error);
      });
    });
  }

  async predict(betas: Rows, options: PredictOptions = {}): Promise<Float32Array> {
    this.#assertAlive();
    checkOptions(options, PREDICT_OPTIONS);
    const { runs, signal } = options;
    const message = betasMessage(betas, runs);
    const context = { decoder: this.#id, signal, what: 'reconstruction' };
    const request: Request = { type: 'predict', betas: message };
    return (await ask(this.#connection, request, context, [
      message.data.buffer as ArrayBuffer,
    ])) as Float32Array;
  }

  async *reconstruct(
    betas: Rows,
    options: ReconstructOptions = {},
  ): AsyncGenerator<Reconstruction, void, void> {
    this.#assertAlive();
    checkOptions(options, RECONSTRUCT_OPTIONS);
    const { runs, trials, repeats, seed, noise, signal } = options;
    throwIfAborted(signal, 'reconstruction');
    const message = betasMessage(betas, runs);
    const request: Request = {
      type: 'reconstruct',
      betas: message,
      trials: trials && Array.from(trials),
      repeats,
      seed,
      noise,
    };
    const reader = new Reader(this.#connection, this.#id, request, [message.data.buffer as ArrayBuffer]);
    const cancel = () => reader.cancel(cancelled('reconstruction', signal));
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      for (let item = await reader.next(); item; item = await reader.next()) {
        yield this.#reconstructionOf(item);
      }
    } finally {
      signal?.removeEventListener('abort', cancel);
      reader.cancel();
    }
  }

  async stats(): Promise<MemoryStats> {
    this.#assertAlive();
    const context = { decoder: this.#id, signal: undefined, what: 'a question' };
    return (await ask(this.#connection, { type: 'stats' }, context)) as MemoryStats;
  }

  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #dispose(): Promise<void> {
    this.#connection.unregister(this.#id, disposed());
    await discard(this.#connection, this.#id);
  }

  #assertAlive(): void {
    if (this.#disposal) throw disposed();
    if (this.#lost) throw this.#lost;
  }

  #reconstructionOf({ image, ...rest }: ItemMessage): Reconstruction {
    if (!image) return rest;
    return { ...rest, image: new Picture(image.data, image.shape, image.range, this.#writeFile) };
  }
}

interface AskContext {
  readonly decoder: Id;
  readonly signal: AbortSignal | undefined;
  readonly what: string;
  readonly progress?: LoadOptions['onProgress'];
  readonly answer?: ReturnType<typeof folderAnswers> | undefined;
}

/** A request with one answer; an abort ends the wait at once, whatever the worker does. */
function ask(
  connection: Connection,
  request: Request,
  { decoder, signal, what, progress, answer }: AskContext,
  transfer: ArrayBuffer[] = [],
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(cancelled(what, signal));
    const done = () => signal?.removeEventListener('abort', cancel);
    const wait = {
      decoder,
      value: (value: unknown) => {
        done();
        resolve(value);
      },
      fail: (error: F2iError) => {
        done();
        reject(error);
      },
      // The application's own error: the wait ends with it, as it does without a worker.
      ...(progress && {
        progress: (seen: LoadProgress) => {
          try {
            progress(seen);
          } catch (error) {
            done();
            connection.abort(id);
            reject(error);
          }
        },
      }),
      answer,
    };
    const cancel = () => {
      connection.abort(id);
      reject(cancelled(what, signal));
    };
    signal?.addEventListener('abort', cancel, { once: true });
    const id = connection.send(request, wait, transfer);
  });
}

/** Frees a decoder in the worker; a worker that was lost has freed it. */
async function discard(connection: Connection, decoder: Id): Promise<void> {
  const context = { decoder, signal: undefined, what: 'dispose' };
  await ask(connection, { type: 'dispose' }, context).catch((error) => {
    if (!(error instanceof F2iError) || error.code !== 'WORKER_LOST') throw error;
  });
}

function cancelled(what: string, signal: AbortSignal | undefined): F2iError {
  return new F2iError('CANCELLED', `${what} was cancelled`, { cause: signal?.reason });
}

/** A copy, which then moves to the worker: the caller's values stay with the caller. */
function betasMessage(betas: Rows, runs: PredictOptions['runs']): BetasMessage {
  checkBetas(betas);
  const { data, shape } = betas;
  return { data: data.slice(), shape: [...shape], runs: runs && Array.from(runs) };
}
