import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { beforeAll, describe, expect, it } from 'vitest';
import { CpuBackend, gemm } from '../src/index.ts';

/** Scripts run the build, as users do: workers and processes cannot load TypeScript. */
const script = (name: string) => fileURLToPath(new URL(`scripts/${name}`, import.meta.url));

beforeAll(() => {
  const built = fileURLToPath(new URL('../dist/index.js', import.meta.url));
  if (!existsSync(built)) throw new Error(`${built} is missing: run npm run build first`);
});

async function run(how: string) {
  const child = spawn(process.execPath, [script('exit.mjs'), how], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (data) => (stderr += data));
  const [code, signal] = await once(child, 'close');
  return { code, signal, stderr };
}

describe('a process that ends in the middle of work', () => {
  it.each([
    ['exit', 7, null, /^$/],
    ['throw', 1, null, /on purpose/],
    ['end without waiting', 0, null, /^$/],
    ['end with a loan that comes back', 3, null, /^$/],
    ['end with a loan that is not over', 0, null, /^$/],
    ['dispose', 0, null, /^$/],
    ['dispose and exit', 7, null, /^$/],
    ['signal', null, 'SIGTERM', /^$/],
  ])('%s: has the exit code of its reason', async (how, code, signal, stderr) => {
    for (let round = 0; round < 4; round++) {
      const ended = await run(how);
      expect(ended).toMatchObject({ code, signal });
      expect(ended.stderr).toMatch(stderr);
    }
  });
});

describe('worker threads', () => {
  // Without the test runner's own conditions and loaders.
  const start = (task: string, seed = 1) =>
    new Worker(script('worker.mjs'), { workerData: { task, seed }, execArgv: [] });

  it('compute at the same time, each with its own context', async () => {
    const workers = [start('check', 1), start('check', 2)];
    const ends = workers.map((worker) => once(worker, 'exit'));
    const answers = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
    expect(answers).toEqual([{ right: true }, { right: true }]);
    expect(await Promise.all(ends)).toEqual([[0], [0]]);
  });

  it('may be terminated in mid-work without harm to the others', async () => {
    const backend = new CpuBackend({ threads: 1 });
    const x = backend.tensor([1, 1, 0, 1], [2, 2]);
    for (let round = 0; round < 5; round++) {
      const busy = start('busy');
      await once(busy, 'message');
      const other = start('check', round + 1);
      const answer = once(other, 'message');
      const end = once(other, 'exit');
      const code = await busy.terminate();
      expect(code).toBe(1);
      expect((await answer)[0]).toEqual({ right: true });
      expect([...(await gemm(x, x).download())]).toEqual([1, 2, 0, 1]);
      expect(await end).toEqual([0]);
    }
    await backend.dispose();
  });

  it('may leave with work in flight', async () => {
    for (let round = 0; round < 5; round++) {
      const [code] = await once(start('leave'), 'exit');
      expect(code).toBe(5);
    }
  });
});
