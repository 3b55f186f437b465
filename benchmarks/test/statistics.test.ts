import { describe, expect, it } from 'vitest';
import { floorOf } from '../src/limits.ts';
import { quantile, timing } from '../src/statistics.ts';

describe('benchmark statistics', () => {
  it('interpolates quantiles as numpy does', () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([1, 2, 3, 4], 0.95)).toBeCloseTo(3.85, 12);
    expect(quantile([5], 0.25)).toBe(5);
  });

  it('does not let one slow sample move the median', () => {
    expect(timing([1, 1.1, 0.9, 50, 1]).p50).toBe(1);
    expect(timing([1, 1, 1, 1]).noisePercent).toBe(0);
  });

  it('sets the floor by whichever limit binds', () => {
    const limits = { f32Gflops: 100, f64Gflops: 50, copyGBs: 10 };
    expect(floorOf(limits, 'f32', 1e9, 1e6)).toEqual({ seconds: 0.01, by: 'flops' });
    expect(floorOf(limits, 'f32', 1e6, 1e9)).toEqual({ seconds: 0.1, by: 'bytes' });
    expect(floorOf(limits, 'f64', 1e9, 1e6).seconds).toBe(0.02);
  });
});
