import { type LoadedDecoder, type LoadProgress, loadDecoder } from '@fmri2image/web';
import type { NamedFile } from './files.ts';
import type { BackendChoice } from './state.ts';
// In the page's own script: a worker can then be started again without network, and it inherits the security policy.
import DecoderWorker from './worker.ts?worker&inline';

export interface OpenOptions {
  readonly device: BackendChoice;
  /** Of a model of several stages. */
  readonly stage?: string | undefined;
  /** Of a model of several subjects. */
  readonly subject?: number | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: LoadProgress) => void;
}

/** One decoder in one worker. */
export class Engine {
  readonly decoder: LoadedDecoder;
  readonly #worker: Worker;
  #closed = false;

  private constructor(decoder: LoadedDecoder, worker: Worker) {
    this.decoder = decoder;
    this.#worker = worker;
  }

  /** Starts a worker, and opens a decoder in it; a failure leaves no worker behind. */
  static async open(files: readonly NamedFile[], options: OpenOptions): Promise<Engine> {
    const worker = new DecoderWorker({ name: 'fmri2image' });
    try {
      const named = files.map(({ path, blob }) => [path, blob] as const);
      return new Engine(await loadDecoder(named, { ...options, worker }), worker);
    } catch (error) {
      worker.terminate();
      throw error;
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Frees the device's memory and ends the worker. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.decoder.dispose().catch(() => {});
    this.#worker.terminate();
  }
}
