import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { check } from '../src/brainDiffuser.ts';
import { readColumns, targetsOf, writeInputs } from '../src/brainDiffuserData.ts';
import { checkpointOf, runToDisk } from '../src/brainDiffuserRun.ts';
import { checkRidge } from '../src/ridgeCheck.ts';
import { responsesOf, simulateRidge } from '../src/ridgeData.ts';

const folder = mkdtempSync(join(os.tmpdir(), 'f2i-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const problem = { train: 90, test: 20, voxels: 130, tokens: 3, width: 7 };

it('runs the regression from disk to disk, and its check agrees', async () => {
  await writeInputs(folder, problem, 1);
  for (const keep of ['predictions', 'dual'] as const) {
    const run = { folder, problem, keep, out: `${keep}.npy`, memory: 1e9, threads: 2 };
    const report = await runToDisk(run);
    expect(report).toMatchObject({ from: 0, precision: 'f32' });
    expect(report.flops).toBeGreaterThan(problem.train ** 2 * problem.voxels);
    expect(checkpointOf(folder, run.out)).toBe(targetsOf(problem));
  }
  expect(await check(folder, { problem, keeps: ['predictions', 'dual'] })).toBeLessThan(1);
});

it('reads columns of half precision as they were rounded', async () => {
  const [first] = await readColumns(join(folder, 'targets.npy'), [0, 20]);
  expect(Math.abs(first!)).toBeGreaterThan(0);
  expect(Math.fround(first! * 2 ** 24) % 1).toBe(0);
});

it('the check of a ridge finds an error of a thousandth', () => {
  const data = simulateRidge({ train: 30, test: 8, voxels: 40, tokens: 1, width: 3 }, 2);
  const alphas = [5, 5, 5];
  const exact = exactPredictions(data, 5);
  expect(checkRidge(data, { predictions: exact, alphas })).toBeLessThan(0.01);
  const spoilt = exact.map((value) => value * 1.001);
  expect(checkRidge(data, { predictions: spoilt, alphas })).toBeGreaterThan(1);
});

/** Primal ridge by Gaussian elimination, float64. */
function exactPredictions(data: ReturnType<typeof simulateRidge>, alpha: number) {
  const { size, targets, y } = data;
  const { train: x, test } = responsesOf(data);
  const { train: n, voxels: p } = size;
  const mean = (values: Float32Array, columns: number, j: number) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += values[i * columns + j]!;
    return sum / n;
  };
  const centre = Array.from({ length: p }, (_, j) => mean(x, p, j));
  const offset = Array.from({ length: targets }, (_, t) => mean(y, targets, t));
  const rows = Array.from({ length: p }, (_, a) => {
    const row = new Float64Array(p + targets);
    for (let i = 0; i < n; i++) {
      const own = x[i * p + a]! - centre[a]!;
      for (let b = 0; b < p; b++) row[b]! += own * (x[i * p + b]! - centre[b]!);
      for (let t = 0; t < targets; t++) row[p + t]! += own * (y[i * targets + t]! - offset[t]!);
    }
    row[a]! += alpha;
    return row;
  });
  for (let a = 0; a < p; a++) {
    const pivot = rows[a]!;
    for (const row of rows) {
      const factor = row === pivot ? 0 : row[a]! / pivot[a]!;
      for (let c = a; c < p + targets; c++) row[c]! -= factor * pivot[c]!;
    }
  }
  return Float64Array.from({ length: size.test * targets }, (_, e) => {
    const [i, t] = [Math.floor(e / targets), e % targets];
    let sum = offset[t]!;
    for (let a = 0; a < p; a++) sum += (test[i * p + a]! - centre[a]!) * (rows[a]![p + t]! / rows[a]![a]!);
    return sum;
  });
}
