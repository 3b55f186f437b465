/** The native module, `f2i.node`: one class, and facts about the core and the machine. The C++ side is `binding/`. */
export interface Addon {
  readonly abiVersion: number;
  readonly version: string;
  /** Best instruction set of this machine: an index into `ISAS`. */
  readonly bestIsa: number;
  /** How many devices there are of a kind, usable or not; 0 where nobody can say. */
  countDevices(device: number, library: string | undefined): number;
  readonly Context: new (
    args: Float64Array,
    threads: number,
    isa: number,
    memoryLimit: number,
    device: number,
    index: number,
    library: string | undefined,
    precision: number,
  ) => NativeContext;
  /** @param device an index into `DEVICES` @param library as of a context; throws where there is no such device */
  describeDevice(device: number, index: number, library: string | undefined): NativeDevice;
}

/** Types that a device may round operands of f32 to, by their number in `f2i.h`. */
export const PRECISIONS = ['f32', 'tf32', 'bf16', 'f16'] as const;
export type Precision = (typeof PRECISIONS)[number];

/** Devices by their number in `f2i.h`. */
export const DEVICES = ['cpu', 'cuda'] as const;

export interface NativeDevice {
  readonly name: string;
  /** How many there are of its kind. */
  readonly count: number;
  /** 90 for CUDA's compute capability 9.0. */
  readonly capability: number;
  readonly processors: number;
  readonly memoryBytes: number;
  /** Of its memory, what no process uses now; 0: unknown. */
  readonly freeBytes: number;
}

/** Instruction sets by their number in `f2i.h`. */
export const ISAS = ['auto', 'portable', 'avx2', 'avx512'] as const;
export type Isa = (typeof ISAS)[number];

export interface NativeInfo {
  readonly threads: number;
  readonly isa: number;
  readonly memoryLimit: number;
  readonly liveBytes: number;
  readonly peakBytes: number;
  readonly liveBuffers: number;
  readonly queuedOps: number;
}

/**
 * A context of the core. Buffers and tokens are numbers (0 is none). Everything throws an error with a `status`;
 * promises reject with one that has `op` and `tag` as well (`failure.ts` translates them).
 */
export interface NativeContext extends NativeOps {
  info(): NativeInfo;
  /** Whether its device has the op of this name. */
  supports(op: string): boolean;
  /** What the device has found out about itself so far, in words; "" for nothing. */
  remark(): string;
  /** Drops what is queued; resolves when the threads are gone. Nothing may be called after it. */
  close(): Promise<void>;

  createToken(): number;
  cancelToken(token: number): void;
  destroyToken(token: number): void;

  createBuffer(bytes: number, tag: number): number;
  /**
   * Uses the first `bytes` of the memory in place; the caller may not touch it again, or not before `giveBack` is called with
   * it: once the buffer is destroyed and what used it has run.
   */
  adopt(array: ArrayBuffer, bytes: number, tag: number, giveBack?: (array: ArrayBuffer) => void): number;
  mapFile(path: string, offset: number, bytes: number, tag: number): number;
  write(buffer: number, offset: number, array: ArrayBufferView, tag: number): void;
  destroyBuffer(buffer: number): void;

  /** From here on, ops and buffers that come and go are recorded, until `endGraph` or `dropGraph`. */
  beginGraph(): void;
  endGraph(): number;
  dropGraph(): void;
  /** @param token that all of its ops listen to, instead of those that they were recorded with */
  launchGraph(graph: number, token: number): void;
  /** Launches that are enqueued still run. */
  destroyGraph(graph: number): void;

  /** Reads into `array`, which must be of this size, or a new one. */
  read(buffer: number, offset: number, bytes: number, array?: ArrayBuffer): Promise<ArrayBuffer>;
  /** Resolves when everything enqueued so far has run; rejects if the buffer is poisoned. */
  wait(buffer: number): Promise<void>;
  /** As `wait`; rejects with the first failure since the last call. */
  sync(): Promise<void>;
}

/** Ops take their arguments from the array that the context was made with: see `arguments.ts`. */
export interface NativeOps {
  activation(): void;
  adaptiveMaxPool1d(): void;
  attention(): void;
  cast(): void;
  choleskyFactor(): void;
  choleskySolve(): void;
  columnStats(): void;
  concat(): void;
  conv2d(): void;
  cosineMatrix(): void;
  eigh(): void;
  elementwise(): void;
  gatedActivation(): void;
  gather(rows: Int32Array | undefined, cols: Int32Array | undefined): void;
  gemm(): void;
  gram(): void;
  groupNorm(): void;
  layerNorm(): void;
  linear(): void;
  pearsonColumns(): void;
  permute(): void;
  randomNormal(): void;
  relativePositionBias(buckets: Int32Array): void;
  resize2d(
    firstRows: Int32Array,
    rowWeights: Float64Array,
    firstColumns: Int32Array,
    columnWeights: Float64Array,
  ): void;
  rotary(): void;
  slice(): void;
  softmax(): void;
  standardize(): void;
  topK(): void;
  triangularSolve(): void;
  upsampleNearest(): void;
}
