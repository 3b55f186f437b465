import { existsSync } from 'node:fs';
import type { Backend } from '@fmri2image/core';
import { createWebBackend } from '@fmri2image/web';

/** SwiftShader, which comes with Debian's chromium: a software device where there is no GPU. */
const SOFTWARE_ICD = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** WebGPU through Dawn, or why there is none. */
export async function openWebGpu(): Promise<Backend | string> {
  if (process.env.VK_ICD_FILENAMES === undefined && existsSync(SOFTWARE_ICD)) {
    process.env.VK_ICD_FILENAMES = SOFTWARE_ICD;
  }
  try {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    return await createWebBackend({ gpu: create([]) });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
