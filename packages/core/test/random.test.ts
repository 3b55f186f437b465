import { describe, expect, it } from 'vitest';
import { createRandom } from '../src/random.ts';

describe('createRandom', () => {
  it('repeats its sequence for a seed and differs for the next', () => {
    const draw = (seed: number) => Array.from({ length: 8 }, createRandom(seed).uniform);
    expect(draw(42)).toEqual(draw(42));
    expect(draw(42)).not.toEqual(draw(43));
    expect(draw(1)).not.toEqual(draw(1 + 2 ** 32));
  });

  it('is pinned: recorded experiments depend on these numbers', () => {
    const random = createRandom(1);
    const drawn = [random.integer(2 ** 32), random.integer(2 ** 32), random.uniform(), random.normal()];
    expect(drawn).toEqual([2442144158, 3238099751, 0.8893939367683266, -0.4306001110039095]);
  });

  it('draws uniforms whose bins pass a chi-square test', () => {
    const random = createRandom(7);
    const counts = new Float64Array(64);
    const draws = 64_000;
    for (let i = 0; i < draws; i++) {
      counts[Math.floor(random.uniform() * 64)]!++;
    }
    expect(counts.reduce((sum, c) => sum + c, 0)).toBe(draws); // a value outside [0, 1) has no bin
    const chi2 = counts.reduce((sum, c) => sum + (c - 1000) ** 2 / 1000, 0);
    expect(chi2).toBeGreaterThan(35); // 63 degrees of freedom: .2 % and 99.8 % quantiles
    expect(chi2).toBeLessThan(100);
  });

  it('draws normals with the moments and tail of a normal', () => {
    const n = 200_000;
    const values = createRandom(3).normals(n);
    const moment = (k: number) => values.reduce((sum, v) => sum + v ** k, 0) / n;
    const se = 1 / Math.sqrt(n);
    expect(Math.abs(moment(1))).toBeLessThan(4 * se);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.SQRT2 * se);
    expect(Math.abs(moment(3))).toBeLessThan(4 * Math.sqrt(15) * se);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96) * se);
    const beyond = values.filter((v) => Math.abs(v) > 1.959964).length / n;
    expect(Math.abs(beyond - 0.05)).toBeLessThan(4 * Math.sqrt(0.05 * 0.95) * se);
  });

  it('shuffles a copy, every order equally often', () => {
    const random = createRandom(11);
    const list = ['a', 'b', 'c'];
    const orders = new Map<string, number>();
    for (let i = 0; i < 12_000; i++) {
      const order = random.shuffle(list).join('');
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(list).toEqual(['a', 'b', 'c']);
    expect(orders.size).toBe(6);
    for (const count of orders.values())
      expect(Math.abs(count - 2000)).toBeLessThan(4 * Math.sqrt((2000 * 5) / 6));
  });

  it('refuses what it cannot draw from', () => {
    expect(() => createRandom(0.5)).toThrow(RangeError);
    expect(() => createRandom(1).integer(0)).toThrow(RangeError);
  });
});
