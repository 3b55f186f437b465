import { createRequire } from 'node:module';
import { F2iError } from '@fmri2image/core';
import type { Addon } from './addon.ts';

/** Version of `f2i.h` that this package was written for. */
const ABI_VERSION = 1;

const require = createRequire(import.meta.url);

/** Literal names, so that bundlers see what to leave alone. */
const PREBUILT: Readonly<Record<string, () => unknown>> = {
  'linux-x64': () => require('@fmri2image/node-linux-x64/f2i.node'),
};

let loaded: Addon | undefined;

/**
 * The native core for this machine. Throws UNSUPPORTED if there is none for its platform, USAGE if its package is
 * not installed or does not load, ABI_MISMATCH if it belongs to another version.
 */
export function loadAddon(): Addon {
  loaded ??= checked(load());
  return loaded;
}

function load(): Addon {
  const platform = `${process.platform}-${process.arch}`;
  const open = PREBUILT[platform];
  if (!open) {
    throw new F2iError('UNSUPPORTED', 'there is no native core for this platform', {
      expected: Object.keys(PREBUILT).join(' or '),
      found: platform,
    });
  }
  try {
    return open() as Addon;
  } catch (cause) {
    const name = `@fmri2image/node-${platform}`;
    throw new F2iError(
      'USAGE',
      `the native core for ${platform}${libc()} could not be loaded from ${name}: ${reason(cause)}\n` +
        `  It is an optional dependency of @fmri2image/node. Install it with: npm install --include=optional ${name}`,
      { cause },
    );
  }
}

function checked(addon: Addon): Addon {
  if (addon.abiVersion !== ABI_VERSION) {
    throw new F2iError('ABI_MISMATCH', 'the native core belongs to another version of @fmri2image/node', {
      expected: `ABI ${ABI_VERSION}`,
      found: `ABI ${addon.abiVersion} (version ${addon.version})`,
    });
  }
  return addon;
}

function reason(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === 'MODULE_NOT_FOUND' ? 'it is not installed' : (message.split('\n')[0] ?? message);
}

/** The core is built against glibc; on musl it does not load, and the error should show why. */
function libc(): string {
  if (process.platform !== 'linux') return '';
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime ? ` (glibc ${header.glibcVersionRuntime})` : ' (no glibc)';
}
