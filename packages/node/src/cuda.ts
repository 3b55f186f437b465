import { availableParallelism } from 'node:os';
import type { RejectedDevice } from '@fmri2image/core';
import type { Precision } from './native/addon.ts';
import { findCudaLibrary } from './native/cudaLibrary.ts';
import { describeGpu, listGpus } from './native/gpu.ts';
import { NativeBackend } from './nativeBackend.ts';
import { checkValues } from './options.ts';

/**
 * The device computes; these copy what is uploaded into pinned memory, for which one thread is presumably slower than the
 * bus; not yet measured.
 */
const COPYING_THREADS = Math.min(4, availableParallelism());

export interface CudaOptions {
  /**
   * Which GPU, from 0, as CUDA counts them: CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER hold. By default the first one that can
   * be used.
   */
  index?: number | undefined;
  /** Path of `libf2i_cuda.so`; by default what F2I_CUDA_LIBRARY names, else the one that is installed. */
  library?: string | undefined;
  /** Ceiling of tensors and workspace on the device, in bytes; none by default. */
  memoryLimit?: number | undefined;
  /**
   * What products of f32 (gemm, linear, conv2d, attention) may round their operands to; sums stay f32. `f32`, the default,
   * keeps the accuracy of f32. Statistics, factorisations, solves and all of f64 always keep theirs.
   */
  productPrecision?: Precision | undefined;
  /**
   * Whether work that repeats itself, such as the evaluations of a sampler, is recorded as a CUDA graph and enqueued as one
   * (`Backend.graph`). True by default.
   */
  graphs?: boolean | undefined;
  /** What `device: 'auto'` tried before. */
  rejected?: readonly RejectedDevice[] | undefined;
}

/**
 * The native core on an NVIDIA GPU. As with the CPU, calls enqueue and return; `adopt` and `mapFile` copy to the device in
 * the order of the queue.
 *
 * @throws F2iError INVALID_ARGUMENT for a value that an option does not take; UNSUPPORTED, naming what is missing: the library,
 *   a driver, a GPU, one that is new enough
 */
export class CudaBackend extends NativeBackend {
  declare readonly name: 'cuda';

  constructor(options: CudaOptions = {}) {
    const { memoryLimit, productPrecision: precision, graphs = true, rejected = [] } = options;
    checkValues(options);
    const library = findCudaLibrary(options.library);
    const gpu = options.index === undefined ? listGpus(library)[0]! : describeGpu(options.index, library);
    const { index } = gpu;
    super(
      { device: 'cuda', threads: COPYING_THREADS, memoryLimit, index, library, precision, graphs },
      () => ({
        device: 'cuda',
        description: `${gpu.name}, CUDA, compute capability ${gpu.capability}, GPU ${index} of ${gpu.count}`,
        rejected,
        memory: {
          total: gpu.memoryBytes,
          ...(gpu.freeBytes !== undefined && { free: gpu.freeBytes }),
        },
      }),
    );
  }
}
