import { openStreamedRidge } from '../decoders/ridge/streamed/index.ts';
import type { StreamedRidge } from '../decoders/ridge/streamed/types.ts';
import type { RidgeForm } from '../decoders/ridge/types.ts';
import { F2iError } from '../error.ts';
import { ceilingsOf } from './runMemory.ts';
import type { RunDesign, RunOptions, RunWork } from './runTypes.ts';

/** The ridge of a design, made when a head first asks for it: where an earlier run did all heads, the design is not read. */
export class DeferredRidge {
  /** The head that progress speaks of. */
  head: string | undefined;
  #opened: StreamedRidge | undefined;
  readonly #run: RunDesign;
  readonly #form: RidgeForm;
  readonly #options: RunOptions;
  readonly #before: RunWork;

  /** @param before what the run did for other designs, to which progress adds */
  constructor(run: RunDesign, form: RidgeForm, options: RunOptions, before: RunWork) {
    this.#run = run;
    this.#form = form;
    this.#options = options;
    this.#before = before;
  }

  get opened(): StreamedRidge | undefined {
    return this.#opened;
  }

  /** @throws OUT_OF_MEMORY where no arithmetic fits; IO and FORMAT of the design; CANCELLED */
  async open(): Promise<StreamedRidge> {
    if (this.#opened) return this.#opened;
    const ceilings = ceilingsOf(this.#run, this.#options);
    for (const [i, memory] of ceilings.entries()) {
      try {
        this.#opened = await this.#openWithin(memory);
        break;
      } catch (error) {
        // Finer arithmetic takes more, and leaves less to what is read ahead.
        const isTight = error instanceof F2iError && error.code === 'OUT_OF_MEMORY';
        if (!isTight || i === ceilings.length - 1) throw error;
      }
    }
    return this.#opened!;
  }

  dispose(): void {
    this.#opened?.dispose();
  }

  #openWithin(memory: number | undefined): Promise<StreamedRidge> {
    const { design, heads, intercept } = this.#run;
    const { backend, precision, signal, onProgress } = this.#options;
    const { flops, fileSeconds } = this.#before;
    return openStreamedRidge(design, {
      backend,
      alpha: heads.flatMap(({ head: { alpha } }) => (typeof alpha === 'number' ? [alpha] : alpha.grid)),
      intercept,
      form: this.#form,
      precision,
      memory,
      signal,
      onProgress: (progress) =>
        onProgress?.({
          ...progress,
          head: this.head,
          flops: flops + progress.flops,
          fileSeconds: fileSeconds + progress.fileSeconds,
        }),
    });
  }
}
