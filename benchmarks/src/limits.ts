import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { compile } from './peers.ts';
import type { FloatType } from './shape.ts';

/** What the machine can do at most, measured in this run with the same number of threads. */
export interface Limits {
  readonly f32Gflops: number;
  readonly f64Gflops: number;
  /** Bytes read plus bytes written by a copy, 10^9 a second. */
  readonly copyGBs: number;
}

/** The best of some tries: a limit is what a machine reaches while nobody disturbs it. */
const TRIES = 3;

export function measureLimits(sources: string, cache: string, threads: number): Limits | undefined {
  const program = compile(join(sources, 'limits.cpp'), cache, ['-O3', '-march=native']);
  const tries = Array.from({ length: TRIES }, () => {
    const { status, stdout } = spawnSync(program ?? 'false', [String(threads)], { encoding: 'utf8' });
    return status === 0 ? [JSON.parse(stdout) as Limits] : [];
  }).flat();
  if (tries.length === 0) return undefined;
  const best = (limit: keyof Limits) => Math.max(...tries.map((one) => one[limit]));
  return { f32Gflops: best('f32Gflops'), f64Gflops: best('f64Gflops'), copyGBs: best('copyGBs') };
}

export function inWords(limits: Limits | undefined): string {
  if (!limits) return 'limits not measured (c++ is not there)';
  const { f32Gflops, f64Gflops, copyGBs } = limits;
  return `limits: ${f32Gflops.toFixed(0)} GFLOP/s in f32, ${f64Gflops.toFixed(0)} in f64, ${copyGBs.toFixed(1)} GB/s copied (read and written)`;
}

/** The roofline: seconds that no implementation can beat, and what sets them. */
export function floorOf(
  limits: Limits,
  dtype: FloatType,
  flops: number,
  bytes: number,
): { seconds: number; by: 'flops' | 'bytes' } {
  const arithmetic = flops / (1e9 * (dtype === 'f32' ? limits.f32Gflops : limits.f64Gflops));
  const traffic = bytes / (1e9 * limits.copyGBs);
  return arithmetic > traffic ? { seconds: arithmetic, by: 'flops' } : { seconds: traffic, by: 'bytes' };
}
