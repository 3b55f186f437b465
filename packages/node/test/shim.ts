import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const native = fileURLToPath(new URL('../../../native', import.meta.url));

/**
 * The CUDA kernels in a library that executes them on the processor (native/tests/cuda/shim), which the core opens as it
 * opens that of a GPU. Built with the objects of the native tests: a moment, where those have run.
 */
export function buildShim(): string {
  const { status, stdout, stderr } = spawnSync('bash', ['release.sh', 'f2i_cuda_shim'], {
    cwd: native,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the shim of the CUDA kernels could not be built\n${stdout}${stderr}`);
  return `${native}/build/release/tests/cuda/libf2i_cuda_shim.so`;
}

/** Runs `body` on a shim that says other things of itself: F2I_SHIM_<name> of its environment. */
export async function withShim<T>(
  settings: Readonly<Record<string, string>>,
  body: () => T | Promise<T>,
): Promise<T> {
  const before = Object.keys(settings).map((name) => [name, process.env[`F2I_SHIM_${name}`]] as const);
  for (const [name, value] of Object.entries(settings)) process.env[`F2I_SHIM_${name}`] = value;
  try {
    return await body();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[`F2I_SHIM_${name}`];
      else process.env[`F2I_SHIM_${name}`] = value;
    }
  }
}
