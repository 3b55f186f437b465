import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type AnyRow, latest, resultsTable } from '../src/table.ts';

const timing = (p50: number, noisePercent = 1) => ({ samples: 3, min: p50, p50, p95: p50, noisePercent });

const row = (impl: string, p50: number, more: object = {}): AnyRow =>
  ({
    op: 'gemm',
    shape: { m: 2, n: 3, k: 4 },
    dtype: 'f32',
    impl,
    backend: 'cpu',
    threads: 1,
    cold: timing(p50),
    warm: timing(p50),
    gflops: 1,
    gbs: 1,
    device: 'a machine',
    commit: 'abc',
    ...more,
  }) as unknown as AnyRow;

test('the latest rows: one of each implementation, shape and number of threads, the last', () => {
  const rows = [
    row('ours', 1),
    row('numpy', 2),
    row('ours', 3, { threads: 2 }),
    row('ours', 4, { commit: 'def' }),
    row('ours', 5, { shape: { m: 2, n: 3, k: 5 } }),
  ];
  expect(latest(rows)).toEqual([rows[1], rows[2], rows[3], rows[4]]);
});

test('the latest rows of a model: one of each stage and precision', () => {
  const of = (stage: string, precision: string) =>
    ({ model: 'mindeye2', stage, precision, threads: 2, device: 'a machine' }) as unknown as AnyRow;
  const rows = [of('tokens', 'bf16'), of('blurry', 'bf16'), of('tokens', 'f32'), of('tokens', 'bf16')];
  expect(latest(rows)).toEqual([rows[1], rows[2], rows[3]]);
});

test('a ratio within the noise is marked', () => {
  const ratio = (value: number) =>
    resultsTable([row('ours', 1, { cold: timing(1, 5), ratio: value, fastestPeer: 'blis' })]);
  expect(ratio(0.97)).toContain('= 0.97 (blis)');
  expect(ratio(0.9)).toContain('| 0.90 (blis)');
});

const results = new URL('../results/', import.meta.url);

test.each(readdirSync(results).filter((name) => name.endsWith('.jsonl')))('%s is shown as tables', (name) => {
  const lines = readFileSync(new URL(name, results), 'utf8').trim().split('\n');
  const text = resultsTable(latest(lines.map((line) => JSON.parse(line) as AnyRow)));
  const tables = text.split('\n\n').filter((part) => part.startsWith('| '));
  expect(tables.length).toBeGreaterThan(0);
  for (const table of tables) {
    const bars = table.split('\n').map((line) => line.split('|').length);
    expect(new Set(bars).size, table.slice(0, 80)).toBe(1);
    expect(table).not.toMatch(/undefined|NaN/);
  }
});
