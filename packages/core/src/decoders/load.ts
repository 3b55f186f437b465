import type { Backend, MemoryStats } from '../backend.ts';
import { type OpenedBundle, openDecoder } from '../bundle/open.ts';
import type { Folder } from '../data/source.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import { checkOptions, PREDICT_OPTIONS, RECONSTRUCT_OPTIONS } from '../options.ts';
import { checkBetas, type Rows } from '../rows.ts';
import { linkedSignal } from '../signal.ts';
import type { ConvertedOptions } from './converted.ts';
import type { Decoder, PredictOptions, Reconstruction, ReconstructOptions } from './decoder.ts';
import type { LoadedDecoder, LoadOptions, LoadProgress } from './loaded.ts';
import type { WritePictureFile } from './picture.ts';

export interface LocalLoadOptions extends ConvertedOptions, Pick<LoadOptions, 'backend'> {
  /** Opens the device, unless a backend is given. */
  openBackend: () => Promise<Backend>;
  /** What `image.writePng(path)` uses, where there are files. */
  writeFile?: WritePictureFile | undefined;
}

/**
 * Opens a decoder in this thread: the device, then the bundle, its checksums verified, then its weights on the device.
 * What was opened is freed again if any of it fails.
 *
 * @throws FORMAT, IO or UNSUPPORTED as `openBundle` does; UNSUPPORTED if the device is not available; OUT_OF_MEMORY if
 *   the weights do not fit; CANCELLED
 */
export async function loadLocally(folder: Folder, options: LocalLoadOptions): Promise<LoadedDecoder> {
  const { openBackend, writeFile, backend: given, ...settings } = options;
  const { signal } = settings;
  throwIfAborted(signal, `loading ${folder.name}`);
  const backend = given ?? (await openBackend());
  const owned = given === undefined;
  let decoder: Decoder | undefined;
  try {
    const { pending, model, ...opened } = await openDecoder(folder, backend, settings);
    decoder = opened.decoder;
    await upload(decoder, pending, owned, settings);
    throwIfAborted(signal, `loading ${folder.name}`);
    return new LocalDecoder(decoder, model, owned, writeFile);
  } catch (error) {
    decoder?.dispose();
    if (owned) await backend.dispose();
    throw error;
  }
}

/** Weights go to the device now, not at the first trial: what does not fit is found out at once. */
async function upload(
  decoder: Decoder,
  total: number,
  owned: boolean,
  { signal, onProgress }: Pick<LoadOptions, 'signal' | 'onProgress'>,
): Promise<void> {
  const report = (done: number) => {
    if (total > 0) onProgress?.({ phase: 'upload', done, total } satisfies LoadProgress);
  };
  report(0);
  await decoder.prepare?.({ signal });
  // Others may use a shared backend: their failures are theirs.
  if (owned) await decoder.backend.sync();
  report(total);
}

/** A decoder and its device, in this thread. */
class LocalDecoder implements LoadedDecoder {
  readonly kind: string;
  readonly model: OpenedBundle['model'];
  readonly backend: Backend;
  readonly voxels: number;
  readonly output: Decoder['output'];
  readonly warnings: readonly string[];
  readonly lost: Promise<F2iError>;
  readonly #decoder: Decoder;
  readonly #owned: boolean;
  readonly #writeFile: WritePictureFile | undefined;
  /** Aborted by dispose(). */
  readonly #end = new AbortController();
  readonly #predictions = new Set<Promise<unknown>>();
  readonly #reconstructions = new Set<AsyncGenerator<Reconstruction, void, void>>();
  #disposal: Promise<void> | undefined;

  constructor(
    decoder: Decoder,
    model: OpenedBundle['model'],
    owned: boolean,
    writeFile: WritePictureFile | undefined,
  ) {
    this.kind = decoder.kind;
    this.model = model;
    this.backend = decoder.backend;
    this.voxels = decoder.voxels;
    this.output = decoder.output;
    this.warnings = decoder.warnings;
    this.#decoder = decoder;
    this.#owned = owned;
    this.#writeFile = writeFile;
    this.lost = this.backend.lost.then((error) => (this.#disposal ? new Promise<never>(() => {}) : error));
  }

  async predict(betas: Rows, options: PredictOptions = {}): Promise<Float32Array> {
    this.#assertAlive();
    checkBetas(betas);
    checkOptions(options, PREDICT_OPTIONS);
    const link = linkedSignal(this.#end.signal, options.signal);
    const prediction = this.#decoder.predict(betas, { ...options, signal: link.signal });
    this.#predictions.add(prediction);
    try {
      return await prediction;
    } catch (error) {
      throw this.#explain(error);
    } finally {
      this.#predictions.delete(prediction);
      link.release();
    }
  }

  async *reconstruct(
    betas: Rows,
    options: ReconstructOptions = {},
  ): AsyncGenerator<Reconstruction, void, void> {
    this.#assertAlive();
    checkBetas(betas);
    checkOptions(options, RECONSTRUCT_OPTIONS);
    const link = linkedSignal(this.#end.signal, options.signal);
    const inner = this.#decoder.reconstruct(betas, { ...options, signal: link.signal });
    this.#reconstructions.add(inner);
    try {
      for await (const { image, ...rest } of inner) {
        yield image ? { ...rest, image: image.withFiles(this.#writeFile) } : rest;
        // A consumer may have waited while the decoder was disposed.
        this.#assertAlive();
      }
    } catch (error) {
      throw this.#explain(error);
    } finally {
      this.#reconstructions.delete(inner);
      link.release();
    }
  }

  async stats(): Promise<MemoryStats> {
    this.#assertAlive();
    return this.backend.stats();
  }

  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #dispose(): Promise<void> {
    // What runs ends within a tile; what waits for its consumer ends where it stands.
    this.#end.abort();
    await Promise.allSettled([
      ...this.#predictions,
      ...[...this.#reconstructions].map((inner) => inner.return(undefined)),
    ]);
    this.#decoder.dispose();
    if (this.#owned) await this.backend.dispose();
  }

  #assertAlive(): void {
    if (this.#disposal) throw disposed();
  }

  /** The end of the decoder is not the caller's cancellation. */
  #explain(error: unknown): unknown {
    const ended = this.#disposal && error instanceof F2iError && error.code === 'CANCELLED';
    return ended ? disposed(error) : error;
  }
}

/** Of any use after `dispose()`, and of the waits that it ended. */
export function disposed(cause?: unknown): F2iError {
  return new F2iError('DISPOSED', 'the decoder was disposed', { cause });
}
