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

export function measureLimits(sources: string, cache: string, threads: number): Limits | undefined {
  const program = compile(join(sources, 'limits.cpp'), cache, ['-O3', '-march=native']);
  const { status, stdout } = spawnSync(program ?? 'false', [String(threads)], { encoding: 'utf8' });
  return status === 0 ? (JSON.parse(stdout) as Limits) : undefined;
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
