import { checkOptions, checkOptionValues, F2iError, MEMORY_LIMIT, type OptionChecks } from '@fmri2image/core';
import type { BackendOptions } from './backend.ts';
import { ISAS, PRECISIONS } from './native/addon.ts';

const DEVICES = ['auto', 'cpu', 'cuda', 'webgpu', 'reference'];

/** What each option of a backend may be. */
const CHECKS: OptionChecks<BackendOptions> = {
  device: {
    message: 'not a device',
    expected: (device) => numbered(device) ?? 'auto, cpu, cuda, webgpu or reference',
    holds: (device: unknown) => DEVICES.includes(device as string),
  },
  threads: {
    expected: 'an integer from 1 to 1024, or 0 for all cores',
    holds: (threads: number) => Number.isInteger(threads) && threads >= 0 && threads <= 1024,
  },
  isa: { expected: ISAS.join(', '), holds: (isa: unknown) => (ISAS as readonly unknown[]).includes(isa) },
  memoryLimit: MEMORY_LIMIT,
  graphs: { expected: 'true or false', holds: (graphs: unknown) => typeof graphs === 'boolean' },
  index: {
    expected: 'the number of a GPU, from 0',
    holds: (index: number) => Number.isSafeInteger(index) && index >= 0,
  },
  library: {
    expected: 'the path of a libf2i_cuda.so',
    holds: (library: unknown) => typeof library === 'string' && library !== '',
  },
  productPrecision: {
    expected: PRECISIONS.join(', '),
    holds: (precision: unknown) => (PRECISIONS as readonly unknown[]).includes(precision),
  },
};

/** The options that a backend can be opened with. */
export const BACKEND_OPTIONS = Object.keys(CHECKS) as readonly (keyof BackendOptions)[];

/** Options that name a GPU. On another device they are a mistake; the others say how fast or how exact it may be. */
const OF_GPUS = ['index', 'library'] as const;

/**
 * Refuses what is a mistake whatever device is there: names of no option, values that none takes, a GPU for another device.
 *
 * @throws F2iError INVALID_ARGUMENT, naming the option, what was expected and what was found
 */
export function checkBackendOptions(options: BackendOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw invalid('options of a backend are an object', 'options', "such as { device: 'cpu' }", options);
  }
  checkOptions(options, BACKEND_OPTIONS);
  checkValues(options);
  const { device = 'auto' } = options;
  const stray = OF_GPUS.find((name) => options[name] !== undefined);
  if (stray && device !== 'cuda' && device !== 'auto') {
    throw invalid('an option of GPUs', stray, "device: 'cuda' or 'auto'", device);
  }
}

/** As above, for values alone: of options that have been named. */
export function checkValues(options: BackendOptions): void {
  checkOptionValues(options, CHECKS);
}

/** What "cuda:1" would be here; commands take it so. */
function numbered(device: unknown): string | undefined {
  const index = /^cuda:(\d+)$/.exec(String(device))?.[1];
  return index && `device: 'cuda', index: ${index}`;
}

function invalid(message: string, field: string, expected: string, found: unknown): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found: String(found) });
}
