import { existsSync } from 'node:fs';

/** Debian's chromium brings a Vulkan driver in software; without a GPU the loader finds no other. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Dawn in Node, kept once made: its instances cannot be closed one by one. */
let instance: GPU | undefined;

/** WebGPU for tests in Node, or the reason why there is none. */
export async function dawn(): Promise<GPU | string> {
  if (instance) return instance;
  if (!process.env.VK_ICD_FILENAMES && existsSync(SWIFTSHADER)) process.env.VK_ICD_FILENAMES = SWIFTSHADER;
  try {
    const { create } = await import('webgpu');
    const gpu = create([]);
    if (!(await gpu.requestAdapter()))
      return 'Dawn finds no adapter: run scripts/install-web-deps.sh for a driver in software';
    instance = gpu;
    return gpu;
  } catch (error) {
    return `Dawn does not start: ${error instanceof Error ? error.message : String(error)}`;
  }
}
