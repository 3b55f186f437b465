import { existsSync } from 'node:fs';
import type { Backend } from '@fmri2image/core';
import { createWebBackend } from '@fmri2image/web';

/** SwiftShader, which comes with Debian's chromium: a software device where there is no GPU. */
const SOFTWARE_ICD = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** WebGPU through Dawn, or undefined where there is no adapter. */
export async function openWebGpu(): Promise<Backend | undefined> {
  if (process.env.VK_ICD_FILENAMES === undefined && existsSync(SOFTWARE_ICD)) {
    process.env.VK_ICD_FILENAMES = SOFTWARE_ICD;
  }
  try {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    return await createWebBackend({ gpu: create([]) });
  } catch {
    return undefined;
  }
}
