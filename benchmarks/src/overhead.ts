import { add, type Backend } from '@fmri2image/core';

export interface Overhead {
  readonly backend: string;
  readonly description: string;
  /** Microseconds of the caller's thread for enqueueing one small op: median of batches. */
  readonly enqueueMicroseconds: number;
  /** Microseconds for one small op from its call to its end, in a long chain. */
  readonly perOpMicroseconds: number;
}

const OPS = 500;
const BATCHES = 9;

/** Cost of an op that computes next to nothing: [4, 4] + [4, 4]. */
export async function measureOverhead(backend: Backend): Promise<Overhead> {
  const a = backend.tensor(new Float32Array(16).fill(1), [4, 4]);
  const enqueue: number[] = [];
  const whole: number[] = [];
  for (let batch = -2; batch < BATCHES; batch++) {
    const start = performance.now();
    const sums = Array.from({ length: OPS }, () => add(a, a));
    const enqueued = performance.now();
    await sums.at(-1)!.download();
    const done = performance.now();
    for (const sum of sums) sum.dispose();
    if (batch < 0) continue; // warm-up
    enqueue.push(((enqueued - start) * 1e3) / OPS);
    whole.push(((done - start) * 1e3) / OPS);
  }
  a.dispose();
  const median = (values: number[]) => values.toSorted((x, y) => x - y)[values.length >> 1]!;
  return {
    backend: backend.name,
    description: backend.info.description,
    enqueueMicroseconds: median(enqueue),
    perOpMicroseconds: median(whole),
  };
}
