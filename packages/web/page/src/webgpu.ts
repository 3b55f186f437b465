import type { Device } from './state.ts';

const BROWSERS = [
  'Chrome or Edge 113 or newer (Windows, macOS, ChromeOS, Android)',
  'Safari 26 or newer',
  'Firefox 141 or newer on Windows, 145 on macOS',
];

/** Whether this browser has WebGPU, and if not, what is missing and what to do. */
export async function findWebGpu(): Promise<Device> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  if (!gpu && !isSecureContext) {
    return {
      kind: 'missing',
      reason: `Browsers give WebGPU to secure pages only, and this one came from ${location.origin}.`,
      advice: ['Open the page by https, or from localhost.'],
    };
  }
  if (!gpu) {
    return {
      kind: 'missing',
      reason: 'This browser has no WebGPU (navigator.gpu is missing).',
      advice: [`Browsers that have it: ${BROWSERS.join('; ')}.`, ...linuxAdvice()],
    };
  }
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (adapter) return { kind: 'webgpu' };
  return {
    kind: 'missing',
    reason: 'This browser knows WebGPU, but offers no GPU for it.',
    advice: [
      'Update the graphics driver, and turn on “Use graphics acceleration” in the settings of the browser.',
      'chrome://gpu (about:support in Firefox) says why the GPU was refused.',
      ...linuxAdvice(),
    ],
  };
}

/** What a worker says that finds no device where this page did. */
export function missingFor({ message }: Error): Device {
  return {
    kind: 'missing',
    reason: `The worker that computes found no GPU: ${message}.`,
    advice: [
      'Close other pages that use the GPU, or restart the browser, then reload this page.',
      `Browsers that give WebGPU to workers: ${BROWSERS.join('; ')}.`,
      ...linuxAdvice(),
    ],
  };
}

function linuxAdvice(): string[] {
  if (!/Linux(?!.*Android)/.test(navigator.userAgent)) return [];
  return [
    'On Linux, Chrome may need chrome://flags/#enable-unsafe-webgpu (or to be started with --enable-unsafe-webgpu --enable-features=Vulkan); Firefox needs dom.webgpu.enabled in about:config.',
  ];
}
