import { existsSync } from 'node:fs';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { patience, shared } from '../../vitest.shared.ts';
import { missingForChromium, SWIFTSHADER, webIsRequired } from './test/environment.ts';
import { viteWgsl } from './wgsl.ts';

const missing = missingForChromium();
const required = webIsRequired();
const common = {
  ...patience,
  provide: { required, missing: missing ?? '' },
  globalSetup: ['test/bundle_server.ts', 'test/goldens_server.ts'],
};
const base = { ...shared, plugins: [viteWgsl] };
// The driver in software, unless the machine names its own.
if (!process.env.VK_ICD_FILENAMES && existsSync(SWIFTSHADER)) process.env.VK_ICD_FILENAMES = SWIFTSHADER;

export default defineConfig({
  test: {
    projects: [
      {
        ...base,
        test: {
          ...common,
          name: 'dawn',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.browser.test.ts'],
          setupFiles: ['test/dawn.setup.ts'],
          // The sources, and what the reference makes of the conformance cases, serve all files.
          isolate: false,
        },
      },
      missing
        ? {
            ...base,
            test: {
              name: 'chromium',
              include: ['test/without_chromium.ts'],
              provide: { missing, required },
            },
          }
        : {
            ...base,
            test: {
              name: 'chromium',
              include: ['test/**/*.test.ts'],
              exclude: ['test/**/*.node.test.ts'],
              ...common,
              browser: {
                enabled: true,
                connectTimeout: patience.hookTimeout,
                headless: true,
                screenshotFailures: false,
                provider: playwright({
                  launchOptions: {
                    executablePath: process.env.F2I_CHROMIUM ?? '/usr/bin/chromium',
                    timeout: patience.hookTimeout,
                    args: [
                      '--no-sandbox',
                      '--disable-quic',
                      '--no-first-run',
                      '--disable-background-networking',
                      '--disable-component-update',
                      '--disable-sync',
                      '--enable-unsafe-webgpu',
                    ],
                  },
                }),
                instances: [{ browser: 'chromium' }],
              },
            },
          },
    ],
  },
});
