// Ends in the middle of work, in the way named by its argument.
import { createBackend, gemm } from '@fmri2image/node';

const how = process.argv[2];
const backend = await createBackend({ device: 'cpu', threads: 2 });
const n = 800;
const x = backend.adopt(new ArrayBuffer(n * n * 4), [n, n], 'f32');
let y = x;
for (let i = 0; i < 50; i++) y = gemm(y, x);
const download = y.download();
download.catch(() => {});
await new Promise((resolve) => setTimeout(resolve, 30));

switch (how) {
  case 'exit':
    process.exit(7);
    break;
  case 'throw':
    throw new Error('on purpose');
  case 'end without waiting':
    // Nothing keeps the process but the download: it ends when that has come.
    await download;
    gemm(y, x);
    break;
  case 'end with a loan that comes back': {
    // It keeps the process, although nothing else is awaited.
    const { tensor, returned } = backend.lend(new ArrayBuffer(n * n * 4), [n, n], 'f32');
    gemm(y, tensor);
    tensor.dispose();
    const back = await returned;
    process.exitCode = back.byteLength === n * n * 4 ? 3 : 1;
    break;
  }
  case 'end with a loan that is not over':
    // Its tensor lives: it keeps nothing.
    backend.lend(new ArrayBuffer(n * n * 4), [n, n], 'f32');
    break;
  case 'dispose':
    await backend.dispose();
    break;
  case 'dispose and exit':
    backend.dispose();
    process.exit(7);
    break;
  case 'signal':
    process.kill(process.pid, 'SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    break;
  default:
    throw new Error(`unknown way to end: ${how}`);
}
