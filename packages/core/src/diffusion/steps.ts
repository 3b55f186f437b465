import { F2iError } from '../error.ts';
import type { NoiseSchedule } from './schedule.ts';

/**
 * One evaluation of a sampler whose network predicts the clean sample: with x what goes in and x0 what the network says,
 * `x <- fromEstimate x0 + fromInput x + fromNoise noise`.
 */
export interface SamplerStep {
  /** What the network is told. */
  readonly timestep: number;
  readonly fromEstimate: number;
  readonly fromInput: number;
  /** 0: nothing is drawn. */
  readonly fromNoise: number;
}

/**
 * DDIM (Song et al. 2021, arXiv 2010.02502, equation 12) as DALLE2-pytorch runs it, which the published priors rely on:
 * `count` values of time are spread from -1 to the last timestep, so that 20 of 100 make 19 evaluations at 94, 89, ..., 4;
 * the noise that x implies is computed with `alphas_cumprod`, the step itself with `alphas_cumprod_prev`; the last
 * evaluation's estimate is the sample, and a step to time 0 adds no noise.
 *
 * @param count values of time, one more than evaluations
 * @param eta 1: as much noise as DDPM adds; 0: none
 */
export function ddimSteps(schedule: NoiseSchedule, count = 20, eta = 1): SamplerStep[] {
  const { tables } = schedule;
  if (!(eta >= 0 && eta <= 1)) throw invalid('eta is out of range', 'eta', '0 to 1', eta);
  const times = ddimTimes(schedule, count);
  return times.slice(0, -1).map((timestep, i) => {
    const next = times[i + 1]!;
    if (next < 0) return { timestep, fromEstimate: 1, fromInput: 0, fromNoise: 0 };
    const [alpha, alphaNext] = [tables.alphas_cumprod_prev[timestep]!, tables.alphas_cumprod_prev[next]!];
    const [scale, spread] = [
      tables.sqrt_recip_alphas_cumprod[timestep]!,
      tables.sqrt_recipm1_alphas_cumprod[timestep]!,
    ];
    const drawn = eta * Math.sqrt(((1 - alpha / alphaNext) * (1 - alphaNext)) / (1 - alpha));
    // Of the noise that x implies: (scale x - x0) / spread.
    const implied = Math.sqrt(1 - alphaNext - drawn ** 2) / spread;
    const fromEstimate = Math.sqrt(alphaNext) - implied;
    return { timestep, fromEstimate, fromInput: implied * scale, fromNoise: next > 0 ? drawn : 0 };
  });
}

/** Values of time from the last to -1: linspace(-1, timesteps, count + 1) without its last value, cut to integers. */
export function ddimTimes({ timesteps }: NoiseSchedule, count: number): number[] {
  checkCount(count, timesteps);
  return Array.from({ length: count }, (_, i) =>
    Math.trunc(-1 + ((count - 1 - i) * (timesteps + 1)) / count),
  );
}

/** DDPM (Ho et al. 2020, arXiv 2006.11239, algorithm 2): all timesteps, the variance of the posterior; nothing is drawn at 0. */
export function ddpmSteps({ timesteps, tables }: NoiseSchedule): SamplerStep[] {
  return Array.from({ length: timesteps }, (_, i) => {
    const timestep = timesteps - 1 - i;
    return {
      timestep,
      fromEstimate: tables.posterior_mean_coef1[timestep]!,
      fromInput: tables.posterior_mean_coef2[timestep]!,
      fromNoise: timestep > 0 ? Math.exp(0.5 * tables.posterior_log_variance_clipped[timestep]!) : 0,
    };
  });
}

/** The sampler that DALLE2-pytorch takes for a number of timesteps: DDPM for all of them, DDIM for fewer. */
export function priorSteps(schedule: NoiseSchedule, timesteps: number): SamplerStep[] {
  return timesteps === schedule.timesteps ? ddpmSteps(schedule) : ddimSteps(schedule, timesteps);
}

function checkCount(count: number, timesteps: number): void {
  if (Number.isInteger(count) && count >= 2 && count <= timesteps) return;
  throw invalid('not a number of timesteps', 'timesteps', `an integer, 2 to ${timesteps}`, count);
}

function invalid(message: string, field: string, expected: string, found: number): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found: `${found}` });
}
