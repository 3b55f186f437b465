import { existsSync } from 'node:fs';

/** Debian's chromium brings a Vulkan driver in software; without a GPU the loader finds no other. */
export const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Why the tests cannot run in Chromium here, if they cannot. */
export function missingForChromium(): string | undefined {
  const chromium = process.env.F2I_CHROMIUM ?? '/usr/bin/chromium';
  if (!existsSync(chromium)) return `no chromium at ${chromium}: run scripts/install-web-deps.sh`;
  if (!process.env.VK_ICD_FILENAMES && !existsSync(SWIFTSHADER)) {
    return `no Vulkan driver in software at ${SWIFTSHADER}: run scripts/install-web-deps.sh`;
  }
  return undefined;
}

/** True where a missing browser or driver is a failure, not a reason to skip. */
export function webIsRequired(): boolean {
  return (process.env.F2I_REQUIRE ?? '').split(',').includes('web');
}
