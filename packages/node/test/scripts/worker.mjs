// A worker thread with a backend of its own. `check`: computes and reports the trace of a product that is known;
// `busy`: keeps the queue full until it is terminated; `leave`: ends with work in flight.
import { parentPort, workerData } from 'node:worker_threads';
import { createBackend, gemm } from '@fmri2image/node';

const { task, seed } = workerData;
const backend = await createBackend({ device: 'cpu', threads: 2 });

switch (task) {
  case 'check': {
    const n = 257;
    const shift = Array.from({ length: n * n }, (_, i) => (i % n === (Math.floor(i / n) + seed) % n ? 1 : 0));
    const x = backend.tensor(shift, [n, n]); // a cyclic permutation
    let y = x;
    for (let i = 1; i < n; i++) {
      const next = gemm(y, x);
      if (y !== x) y.dispose();
      y = next;
    }
    // Its n-th power is the identity, n being prime.
    const power = await y.download();
    const right = power.every((value, i) => value === (i % n === Math.floor(i / n) ? 1 : 0));
    await backend.dispose();
    parentPort.postMessage({ right });
    break;
  }
  case 'busy': {
    const n = 1200;
    const x = backend.zeros([n, n]);
    for (let i = 0; ; i++) {
      gemm(x, x).dispose();
      if (i === 5) parentPort.postMessage({ busy: true });
      if (i % 8 === 0) await backend.zeros([1]).download();
    }
  }
  case 'leave': {
    const x = backend.zeros([1500, 1500]);
    for (let i = 0; i < 40; i++) gemm(x, x);
    backend.adopt(new ArrayBuffer(1 << 20), [1 << 18], 'f32');
    x.download();
    process.exit(5);
  }
}
