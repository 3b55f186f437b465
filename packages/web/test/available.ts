import { describe, inject, it } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** Whether a missing device is a failure, not a reason to skip. */
    required: boolean;
    /** Why Chromium cannot be started, where it cannot. */
    missing: string;
  }
}

const { navigator } = globalThis as { navigator?: { gpu?: GPU } };
/** An adapter makes one device only. */
const requestAdapter = async () => navigator?.gpu?.requestAdapter();
const reason = (await requestAdapter())
  ? undefined
  : 'no WebGPU adapter: scripts/install-web-deps.sh installs one in software';

/** A group of tests that need a device; skipped with the reason, or failed, where there is none. */
export function describeOnDevice(name: string, body: () => void): void {
  if (!reason) describe(name, body);
  else if (inject('required')) {
    it(name, () => {
      throw new Error(reason);
    });
  } else {
    console.warn(`${name}: skipped, ${reason}`);
    describe.skip(name, body);
  }
}

/** A device with the guaranteed limits, of the caller. */
export async function bareDevice(): Promise<GPUDevice> {
  return (await requestAdapter())!.requestDevice();
}
