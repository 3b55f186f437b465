import type { Backend, OpCall } from './backend.ts';
import { F2iError } from './error.ts';
import { checkInputs } from './graphChecks.ts';
import { capturePlace, type OpOptions } from './ops/op.ts';
import { describe, type Tensor, type TensorSpec } from './tensor.ts';

/**
 * What a graph computes: ops on `inputs`, and on tensors from outside that live as long as the graph is launched; with their
 * `options`, which hold the launch's signal. Nothing but ops: data come in as inputs and go out as results. It may run once
 * or at every launch, so that what an op is told beside its operands (numbers, lists, a seed) must be the same each time.
 */
export type GraphBody = (inputs: readonly Tensor[], options: OpOptions) => readonly Tensor[];

/** How a launch, or a copy of it, is enqueued. */
export type LaunchCall = Pick<OpCall, 'signal' | 'place'>;

/** Ops as a backend has recorded them: they read and write the memory that they had then. */
export interface RecordedOps {
  /** Enqueues all of them. The signal alone cancels them, whatever their own. */
  launch(call: LaunchCall): void;
  /** Launches that are enqueued still run. */
  dispose(): void;
}

/** What a graph needs of its backend. */
export interface GraphHost {
  readonly backend: Backend;
  /** A tensor that something is yet to be written to. */
  blank(spec: TensorSpec): Tensor;
  copy(from: Tensor, to: Tensor, call: LaunchCall): void;
  /** Runs a body, in which nothing but ops may be called; the results are handles of their own. */
  run(body: GraphBody, inputs: readonly Tensor[], options: OpOptions): Tensor[];
  /** Records the ops that `enqueue` enqueues, none of which runs; undefined where ops are not recorded now. */
  readonly record: ((enqueue: () => void) => RecordedOps) | undefined;
}

/** A recording and its ends; the tensors are the graph's, and of no scope. */
interface Recorded {
  readonly recording: RecordedOps;
  readonly inputs: readonly Tensor[];
  readonly results: readonly Tensor[];
}

/** Work that repeats itself on operands of the same shapes: see `Backend.graph`. */
export class Graph implements Disposable {
  readonly #host: () => GraphHost;
  readonly #body: GraphBody;
  #specs: readonly TensorSpec[] | undefined;
  #recorded: Recorded | undefined;
  #disposed = false;

  /** Not for users: `backend.graph(...)` makes graphs. */
  constructor(host: () => GraphHost, body: GraphBody) {
    this.#host = host;
    this.#body = body;
  }

  /**
   * Enqueues the work, as an op is enqueued: what fails in it poisons the results that depend on it, and the next launch
   * begins anew.
   *
   * @param inputs of the shapes and types of the first launch; they stay the caller's, and may be disposed at once
   * @returns the body's results, new tensors of the caller's
   * @throws F2iError INVALID_ARGUMENT for other shapes, for what is no list of tensors, and for a body that returns none (or a
   *   promise); what the body throws; CANCELLED; DISPOSED
   */
  launch(inputs: readonly Tensor[], { signal }: OpOptions = {}): Tensor[] {
    if (this.#disposed) throw new F2iError('DISPOSED', 'the graph was used after dispose()');
    const host = this.#host();
    this.#check(inputs, host.backend);
    if (signal?.aborted) {
      throw new F2iError('CANCELLED', 'cancelled before it was enqueued', { cause: signal.reason });
    }
    const results = host.record
      ? this.#replay(host, inputs, { signal, place: capturePlace(this.launch) })
      : host.run(this.#body, inputs, { signal });
    this.#specs ??= inputs.map(({ shape, dtype }) => ({ shape, dtype }));
    return results;
  }

  /** Frees what the graph holds; launches that are enqueued still run. Calling it twice is fine. */
  dispose(): void {
    this.#disposed = true;
    const { recording, inputs = [], results = [] } = this.#recorded ?? {};
    this.#recorded = undefined;
    recording?.dispose();
    for (const tensor of [...inputs, ...results]) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #check(inputs: readonly Tensor[], backend: Backend): void {
    checkInputs(inputs, backend);
    const listed = (specs: readonly TensorSpec[]) => specs.map(describe).join(', ') || 'nothing';
    if (!this.#specs || listed(inputs) === listed(this.#specs)) return;
    const [expected, found] = [listed(this.#specs), listed(inputs)];
    throw new F2iError('INVALID_ARGUMENT', 'a graph takes what its first launch took', { expected, found });
  }

  #replay(host: GraphHost, inputs: readonly Tensor[], call: LaunchCall): Tensor[] {
    this.#recorded ??= this.#record(host, inputs);
    const { recording, inputs: own, results } = this.#recorded;
    for (const [i, input] of inputs.entries()) host.copy(input, own[i]!, call);
    recording.launch(call);
    return host.backend.scope(() =>
      results.map((result) => {
        const copy = host.blank(result);
        host.copy(result, copy, call);
        return copy;
      }),
    );
  }

  #record(host: GraphHost, specs: readonly TensorSpec[]): Recorded {
    const { backend } = host;
    // Kept from scopes, which end before the graph does.
    const keep = (tensor: Tensor) => {
      backend.untrack(tensor);
      return tensor;
    };
    const inputs = specs.map((spec) => keep(host.blank(spec)));
    let results: Tensor[] = [];
    try {
      const recording = host.record!(() => {
        results = host.run(this.#body, inputs, {}).map(keep);
      });
      return { recording, inputs, results };
    } catch (error) {
      for (const tensor of [...inputs, ...results]) tensor.dispose();
      throw error;
    }
  }
}
