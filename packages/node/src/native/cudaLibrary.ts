import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { F2iError } from '@fmri2image/core';

const require = createRequire(import.meta.url);

/** Literal names, so that bundlers see what to leave alone. */
const PACKAGES: Readonly<Record<string, { addon: () => string; cuda: () => string }>> = {
  'linux-x64': {
    addon: () => require.resolve('@fmri2image/node-linux-x64/f2i.node'),
    cuda: () => require.resolve('@fmri2image/node-linux-x64-cuda/libf2i_cuda.so'),
  },
};

/**
 * The library with the CUDA kernels: the one that is named, or that the environment variable F2I_CUDA_LIBRARY names, else
 * `libf2i_cuda.so` beside the native core, else that of the package for this platform.
 *
 * @throws F2iError UNSUPPORTED if it is not there
 */
export function findCudaLibrary(named?: string | undefined): string {
  const wanted = named ?? process.env.F2I_CUDA_LIBRARY;
  if (wanted) {
    // Whole, since the system looks for a name without a slash in its own folders.
    if (existsSync(wanted)) return resolve(wanted);
    const who = named === undefined ? 'F2I_CUDA_LIBRARY names' : 'the option `library` names';
    throw missing(`${who} a file that does not exist: ${wanted}`);
  }
  const platform = `${process.platform}-${process.arch}`;
  const own = PACKAGES[platform];
  if (!own)
    throw missing(`there is no library of CUDA kernels for ${platform}, only for ${Object.keys(PACKAGES)}`);
  const beside = found(() => join(dirname(own.addon()), 'libf2i_cuda.so'));
  const library = beside ?? found(own.cuda);
  if (library) return library;
  const name = `@fmri2image/node-${platform}-cuda`;
  throw missing(
    `the library of CUDA kernels, libf2i_cuda.so, is not installed. Install it with: npm install ${name}, or name one ` +
      'that you built by F2I_CUDA_LIBRARY',
  );
}

function found(path: () => string): string | undefined {
  try {
    const file = path();
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined; // no such package
  }
}

function missing(message: string): F2iError {
  return new F2iError('UNSUPPORTED', message, { backend: 'cuda' });
}
