import {
  bytesPerElement,
  checkDType,
  checkLength,
  type DType,
  type RejectedDevice,
  type Shape,
  Tensor,
} from '@fmri2image/core';
import { ISAS, type Isa } from './native/addon.ts';
import { NativeBackend } from './nativeBackend.ts';
import { checkValues } from './options.ts';

export interface CpuOptions {
  /** Threads that compute, including the queue's; all cores this process may use by default. */
  threads?: number | undefined;
  /** `auto` (the default) takes the best one, or what the environment variable F2I_ISA says. */
  isa?: Isa | undefined;
  /**
   * Ceiling of tensors and workspace in bytes; adopted and mapped memory does not count. None by default. `loadDecoder` counts
   * the weights of a published model against it as well, before it loads them.
   */
  memoryLimit?: number | undefined;
  /**
   * Whether work that repeats itself, such as the evaluations of a sampler, is recorded and enqueued as one
   * (`Backend.graph`). True by default: where ops are small, asking for them takes longer than they do. At the published size
   * of MindEye2's prior it makes no difference.
   */
  graphs?: boolean | undefined;
  /** What `device: 'auto'` tried before. */
  rejected?: readonly RejectedDevice[] | undefined;
}

const ISA_TITLES: Readonly<Record<Isa, string>> = {
  auto: 'automatic',
  portable: 'portable',
  avx2: 'AVX2',
  avx512: 'AVX-512',
};

/** Ops that read a matrix by its rows, wherever these begin. */
const COLUMN_READERS: ReadonlySet<string> = new Set([
  'column_stats',
  'elementwise',
  'gather',
  'gemm',
  'gram',
]);

/**
 * The native core on the CPU. Calls enqueue and return in microseconds, whatever they compute; one exception is
 * `tensor(data)`, which copies its data before it returns (about 0.3 s a GB): give large arrays to `adopt`.
 */
export class CpuBackend extends NativeBackend {
  declare readonly name: 'cpu';

  constructor(options: CpuOptions = {}) {
    const { threads, isa, memoryLimit, graphs = true, rejected = [] } = options;
    checkValues(options);
    super({ device: 'cpu', threads, isa, memoryLimit, graphs }, (opened) => {
      const chosen = ISAS[opened.isa] ?? 'auto';
      return {
        device: 'cpu',
        description: `CPU, ${ISA_TITLES[chosen]}, ${opened.threads} ${opened.threads === 1 ? 'thread' : 'threads'}`,
        rejected,
        threads: opened.threads,
        isa: chosen,
      };
    });
  }

  protected override get columnReaders(): ReadonlySet<string> {
    return COLUMN_READERS;
  }

  override share(buffer: ArrayBuffer, shape: Shape, dtype: DType): Tensor {
    this.assertNoBody('share');
    checkDType(dtype);
    checkLength(buffer.byteLength / bytesPerElement(dtype), { shape, dtype });
    return new Tensor(this, this.adoptStorage(buffer, dtype), { shape, dtype });
  }
}
