import { describe, expect, it } from 'vitest';
import { cosineSchedule, SCHEDULE_TABLES } from '../../src/diffusion/schedule.ts';
import { ddimSteps, ddimTimes, ddpmSteps, priorSteps } from '../../src/diffusion/steps.ts';

const schedule = cosineSchedule();
const { tables } = schedule;

describe('cosine schedule', () => {
  it('has the thirteen tables, all finite, of one length', () => {
    expect(SCHEDULE_TABLES).toHaveLength(13);
    for (const name of SCHEDULE_TABLES) {
      expect(tables[name]).toHaveLength(100);
      expect(tables[name].every(Number.isFinite), name).toBe(true);
    }
  });

  it('takes away what is left, step by step, and clips its last step', () => {
    const kept = tables.alphas_cumprod;
    for (let t = 1; t < 100; t++) expect(kept[t]).toBeLessThan(kept[t - 1]!);
    expect(kept[0]).toBeGreaterThan(0.999);
    expect(kept[99]).toBeLessThan(1e-5);
    expect(tables.betas[99]).toBe(0.999);
    const squared = (share: number) => Math.cos(((share + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
    expect(kept[49]).toBeCloseTo(squared(0.5) / squared(0), 12);
  });

  it('has the posterior of a Gaussian', () => {
    for (const t of [1, 50, 99]) {
      // q(x[t-1] | x[t], x0) from the precisions of its two factors.
      const [beta, before] = [tables.betas[t]!, tables.alphas_cumprod_prev[t]!];
      const precision = (1 - beta) / beta + 1 / (1 - before);
      expect(tables.posterior_variance[t]).toBeCloseTo(1 / precision, 10);
      expect(tables.posterior_mean_coef1[t]).toBeCloseTo(Math.sqrt(before) / (1 - before) / precision, 10);
      expect(tables.posterior_mean_coef2[t]).toBeCloseTo(Math.sqrt(1 - beta) / beta / precision, 10);
    }
    expect(tables.posterior_variance[0]).toBe(0);
    expect(tables.posterior_log_variance_clipped[0]).toBeCloseTo(Math.log(1e-20), 12);
  });

  it.each([0, 1.5, Number.NaN])('refuses %s timesteps', (timesteps) => {
    expect(() => cosineSchedule(timesteps)).toThrow(/timesteps: not a number of timesteps/);
  });
});

describe('DDIM', () => {
  it('evaluates the published 19 of 100', () => {
    const times = [94, 89, 84, 79, 74, 69, 64, 59, 54, 49, 44, 39, 34, 29, 24, 19, 14, 9, 4];
    expect(ddimTimes(schedule, 20)).toEqual([...times, -1]);
    expect(ddimSteps(schedule).map(({ timestep }) => timestep)).toEqual(times);
    expect(ddimSteps(schedule).filter(({ fromNoise }) => fromNoise > 0)).toHaveLength(18);
    expect(ddimSteps(schedule).at(-1)).toEqual({ timestep: 4, fromEstimate: 1, fromInput: 0, fromNoise: 0 });
  });

  it.each([0, 0.4, 1])('is the formula of its paper, in two of its tables: eta %s', (eta) => {
    const [x, x0, noise] = [0.7, -1.3, 0.4];
    const steps = ddimSteps(schedule, 20, eta);
    const times = ddimTimes(schedule, 20);
    for (const i of [0, 7, 17]) {
      const { fromEstimate, fromInput, fromNoise } = steps[i]!;
      const [t, next] = [times[i]!, times[i + 1]!];
      const all = tables.alphas_cumprod[t]!;
      const implied = (x - Math.sqrt(all) * x0) / Math.sqrt(1 - all);
      const [a, b] = [tables.alphas_cumprod_prev[t]!, tables.alphas_cumprod_prev[next]!];
      const sigma = eta * Math.sqrt(((1 - b) / (1 - a)) * (1 - a / b));
      const expected = Math.sqrt(b) * x0 + Math.sqrt(1 - b - sigma ** 2) * implied + sigma * noise;
      expect(fromEstimate * x0 + fromInput * x + fromNoise * noise).toBeCloseTo(expected, 12);
    }
  });

  it('adds no noise on the way to time 0', () => {
    const times = ddimTimes(schedule, 60);
    const steps = ddimSteps(schedule, 60);
    const at = times.indexOf(0) - 1;
    expect(at).toBeGreaterThan(0);
    expect(steps[at]!.fromNoise).toBe(0);
    expect(steps[at - 1]!.fromNoise).toBeGreaterThan(0);
  });

  it('refuses counts and etas out of range', () => {
    for (const count of [1, 101, 2.5]) expect(() => ddimSteps(schedule, count)).toThrow(/timesteps/);
    for (const eta of [-0.1, 1.1, Number.NaN]) expect(() => ddimSteps(schedule, 20, eta)).toThrow(/eta/);
  });
});

describe('DDPM', () => {
  it('walks through all timesteps and ends with what the network says', () => {
    const steps = ddpmSteps(schedule);
    expect(steps.map(({ timestep }) => timestep)).toEqual(Array.from({ length: 100 }, (_, i) => 99 - i));
    expect(steps.at(-1)!.fromEstimate).toBeCloseTo(1, 12);
    expect(steps.at(-1)).toMatchObject({ fromInput: 0, fromNoise: 0 });
  });

  it('keeps the variance that the schedule says, if the network knows the truth', () => {
    // Var x[t] = 1 - alphas_cumprod[t] around sqrt(alphas_cumprod[t]) x0, for every t.
    let [mean, variance] = [0, 1];
    const x0 = 2;
    for (const { timestep, fromEstimate, fromInput, fromNoise } of ddpmSteps(schedule)) {
      mean = fromEstimate * x0 + fromInput * mean;
      variance = fromInput ** 2 * variance + fromNoise ** 2;
      const kept = tables.alphas_cumprod_prev[timestep]!;
      expect(variance).toBeCloseTo(1 - kept, 5);
      expect(mean).toBeCloseTo(Math.sqrt(kept) * x0, 2);
    }
    expect(mean).toBeCloseTo(x0, 12);
  });

  it('is what the number of all timesteps asks for', () => {
    expect(priorSteps(schedule, 100)).toEqual(ddpmSteps(schedule));
    expect(priorSteps(schedule, 20)).toEqual(ddimSteps(schedule));
  });
});
