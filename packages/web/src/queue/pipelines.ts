import { COMPUTE_STAGE } from '../gpu.ts';
import { PARAM_WORDS, type Program } from './program.ts';

/** Bytes of a failure slot: the alignment that storage bindings ask for. */
export const STATUS_BYTES = 256;

/** Compiled pipelines and the layouts they share. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<Program, GPUComputePipeline>();
  readonly #modules = new Map<string, GPUShaderModule>();
  readonly #storageLayouts = new Map<string, GPUBindGroupLayout>();
  readonly #pipelineLayouts = new Map<string, GPUPipelineLayout>();
  /** Group 0 of programs without and with a failure slot. */
  readonly plainLayout: GPUBindGroupLayout;
  readonly statusLayout: GPUBindGroupLayout;

  constructor(device: GPUDevice) {
    this.#device = device;
    const params: GPUBindGroupLayoutEntry = {
      binding: 0,
      visibility: COMPUTE_STAGE,
      buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: PARAM_WORDS * 4 },
    };
    const status: GPUBindGroupLayoutEntry = {
      binding: 1,
      visibility: COMPUTE_STAGE,
      buffer: { type: 'storage', hasDynamicOffset: true, minBindingSize: STATUS_BYTES },
    };
    this.plainLayout = device.createBindGroupLayout({ entries: [params] });
    this.statusLayout = device.createBindGroupLayout({ entries: [params, status] });
  }

  /** The pipeline, compiled now if `prepare` has not. */
  get(program: Program): GPUComputePipeline {
    let pipeline = this.#pipelines.get(program);
    if (!pipeline) {
      pipeline = this.#device.createComputePipeline(this.#descriptor(program));
      this.#pipelines.set(program, pipeline);
    }
    return pipeline;
  }

  /** Compiles ahead, without holding up the queue. */
  async prepare(programs: Iterable<Program>): Promise<void> {
    await Promise.all(
      [...programs]
        .filter((program) => !this.#pipelines.has(program))
        .map(async (program) => {
          const pipeline = await this.#device.createComputePipelineAsync(this.#descriptor(program));
          if (!this.#pipelines.has(program)) this.#pipelines.set(program, pipeline);
        }),
    );
  }

  storageLayout(access: Program['access']): GPUBindGroupLayout {
    const key = access.join();
    let layout = this.#storageLayouts.get(key);
    if (!layout) {
      layout = this.#device.createBindGroupLayout({
        entries: access.map((mode, binding) => ({
          binding,
          visibility: COMPUTE_STAGE,
          buffer: { type: mode === 'read' ? 'read-only-storage' : 'storage' },
        })),
      });
      this.#storageLayouts.set(key, layout);
    }
    return layout;
  }

  #descriptor(program: Program): GPUComputePipelineDescriptor {
    let module = this.#modules.get(program.code);
    if (!module) {
      module = this.#device.createShaderModule({ label: program.name, code: program.code });
      this.#modules.set(program.code, module);
    }
    return {
      label: program.name,
      layout: this.#pipelineLayout(program),
      compute: { module, entryPoint: program.entry ?? 'main', constants: { ...program.constants } },
    };
  }

  #pipelineLayout({ access, status }: Program): GPUPipelineLayout {
    const key = `${status ? 'status' : 'plain'}:${access.join()}`;
    let layout = this.#pipelineLayouts.get(key);
    if (!layout) {
      layout = this.#device.createPipelineLayout({
        bindGroupLayouts: [status ? this.statusLayout : this.plainLayout, this.storageLayout(access)],
      });
      this.#pipelineLayouts.set(key, layout);
    }
    return layout;
  }
}
