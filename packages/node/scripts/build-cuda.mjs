// Builds the library of CUDA kernels for every GPU that users may have, and puts it where its package is:
// npm/<platform>-cuda/libf2i_cuda.so. `node scripts/build-cuda.mjs ARCHITECTURES`: for these alone, as of native/cuda.sh.
import { spawnSync } from 'node:child_process';
import { copyFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const native = join(root, '..', '..', 'native');
const architectures = process.argv[2] ?? 'release';
const { status } = spawnSync('bash', [join(native, 'cuda.sh'), architectures], { stdio: 'inherit' });
if (status !== 0) process.exit(1);

const shipped = join(root, 'npm', `${process.platform}-${process.arch}-cuda`, 'libf2i_cuda.so');
// Renamed into place: a process that has the old file open keeps it.
const folder = architectures === 'release' ? 'cuda-release' : 'cuda';
copyFileSync(join(native, 'build', folder, 'libf2i_cuda.so'), `${shipped}.new`);
renameSync(`${shipped}.new`, shipped);
console.log(shipped);
