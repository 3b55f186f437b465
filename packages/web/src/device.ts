import { F2iError } from '@fmri2image/core';

export interface OpenedDevice {
  readonly device: GPUDevice;
  /** For people: "SwiftShader (google, in software)". */
  readonly description: string;
  /** A device emulated on the CPU. */
  readonly software: boolean;
  /** Whether it was made here, and is to be destroyed with the backend. */
  readonly owned: boolean;
  /** Held as long as the backend lives: Dawn in Node falls when its entry point is collected. */
  readonly gpu: GPU | undefined;
}

export interface DeviceOptions {
  /** A device of the application, shared with it. Its limits hold; it is not destroyed with the backend. */
  device?: GPUDevice | undefined;
  /** WebGPU's entry point where it is not `navigator.gpu` (Dawn in Node: `create([])` of the package `webgpu`). */
  gpu?: GPU | undefined;
  powerPreference?: GPUPowerPreference | undefined;
}

/** Limits worth more than the guaranteed minimum; the others do not matter to our kernels. */
const RAISED = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const;

/** A device with the adapter's largest buffers, or UNSUPPORTED with what is missing. */
export async function openDevice(options: DeviceOptions): Promise<OpenedDevice> {
  if (options.device) {
    return {
      device: options.device,
      ...describe(options.device.adapterInfo),
      owned: false,
      gpu: options.gpu,
    };
  }
  const { gpu, adapter } = await findAdapter(options);
  const requiredLimits = Object.fromEntries(RAISED.map((name) => [name, adapter.limits[name]]));
  try {
    const device = await adapter.requestDevice({ label: 'fmri2image', requiredLimits });
    return { device, ...describe(adapter.info), owned: true, gpu };
  } catch (cause) {
    throw new F2iError('UNSUPPORTED', `the adapter refused a device: ${String(cause)}`, {
      backend: 'webgpu',
      cause,
    });
  }
}

/** Why there is no WebGPU here, without opening a device; undefined where there is. */
export async function whyUnavailable(options: DeviceOptions): Promise<string | undefined> {
  return findAdapter(options).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

async function findAdapter(options: DeviceOptions): Promise<{ gpu: GPU; adapter: GPUAdapter }> {
  const gpu = options.gpu ?? (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (!gpu) {
    throw unavailable(
      'this runtime has no WebGPU (navigator.gpu is missing)',
      'a browser with WebGPU on a page served by https or localhost, or a `gpu` object in Node',
    );
  }
  const adapter = await gpu.requestAdapter(
    options.powerPreference ? { powerPreference: options.powerPreference } : {},
  );
  if (!adapter) {
    throw unavailable(
      'WebGPU is present but offers no adapter',
      'a GPU and a driver that the browser accepts (chrome://gpu lists the reasons)',
    );
  }
  return { gpu, adapter };
}

function unavailable(message: string, expected: string): F2iError {
  return new F2iError('UNSUPPORTED', message, { backend: 'webgpu', expected });
}

function describe(info: GPUAdapterInfo | undefined): { description: string; software: boolean } {
  const fallback = (info as { isFallbackAdapter?: boolean } | undefined)?.isFallbackAdapter === true;
  const software = fallback || /swiftshader|llvmpipe|lavapipe|warp/i.test(info?.architecture ?? '');
  const name = info?.description || info?.device || info?.architecture || 'unnamed adapter';
  const remarks = [info?.vendor, software ? 'in software' : undefined].filter(Boolean).join(', ');
  return { description: remarks ? `${name} (${remarks})` : name, software };
}
