import { F2iError } from '../error.ts';

/** How much of a sample is left after t + 1 steps of noise, and what follows; all of length `timesteps`. */
export interface NoiseSchedule {
  readonly timesteps: number;
  /** By the names of the buffers in checkpoints (`noise_scheduler.*`). */
  readonly tables: Readonly<Record<ScheduleTable, Float64Array>>;
}

export const SCHEDULE_TABLES = [
  'betas',
  'alphas_cumprod',
  'alphas_cumprod_prev',
  'sqrt_alphas_cumprod',
  'sqrt_one_minus_alphas_cumprod',
  'log_one_minus_alphas_cumprod',
  'sqrt_recip_alphas_cumprod',
  'sqrt_recipm1_alphas_cumprod',
  'posterior_variance',
  'posterior_log_variance_clipped',
  'posterior_mean_coef1',
  'posterior_mean_coef2',
  'p2_loss_weight',
] as const;
export type ScheduleTable = (typeof SCHEDULE_TABLES)[number];

/** Below it, a variance is as good as none; its logarithm is taken of this. */
const LEAST_VARIANCE = 1e-20;

/**
 * The cosine schedule (Nichol and Dhariwal 2021, arXiv 2102.09672, section 3.2) with the posterior of Gaussian diffusion
 * (Ho et al. 2020, arXiv 2006.11239, equations 6 and 7), in float64.
 *
 * @param timesteps 100 in MindEye1 and MindEye2
 * @param offset s of the paper
 */
export function cosineSchedule(timesteps = 100, offset = 0.008): NoiseSchedule {
  if (!Number.isInteger(timesteps) || timesteps < 1) {
    const [expected, found] = ['1 or more', `${timesteps}`];
    throw new F2iError('INVALID_ARGUMENT', 'not a number of timesteps', {
      field: 'timesteps',
      expected,
      found,
    });
  }
  const kept = (t: number) => Math.cos(((t / timesteps + offset) / (1 + offset)) * Math.PI * 0.5) ** 2;
  const betas = Float64Array.from({ length: timesteps }, (_, t) =>
    Math.min(0.999, Math.max(0, 1 - kept(t + 1) / kept(t))),
  );
  const products = new Float64Array(timesteps + 1).fill(1);
  for (let t = 0; t < timesteps; t++) products[t + 1] = products[t]! * (1 - betas[t]!);
  const [product, before] = [products.slice(1), products.slice(0, -1)];
  const of = (formula: (beta: number, product: number, before: number) => number) =>
    betas.map((beta, t) => formula(beta, product[t]!, before[t]!));
  const variance = of((beta, a, previous) => (beta * (1 - previous)) / (1 - a));
  const tables = {
    betas,
    alphas_cumprod: product,
    alphas_cumprod_prev: before,
    sqrt_alphas_cumprod: of((_, a) => Math.sqrt(a)),
    sqrt_one_minus_alphas_cumprod: of((_, a) => Math.sqrt(1 - a)),
    log_one_minus_alphas_cumprod: of((_, a) => Math.log(1 - a)),
    sqrt_recip_alphas_cumprod: of((_, a) => Math.sqrt(1 / a)),
    sqrt_recipm1_alphas_cumprod: of((_, a) => Math.sqrt(1 / a - 1)),
    posterior_variance: variance,
    posterior_log_variance_clipped: variance.map((v) => Math.log(Math.max(v, LEAST_VARIANCE))),
    posterior_mean_coef1: of((beta, a, previous) => (beta * Math.sqrt(previous)) / (1 - a)),
    posterior_mean_coef2: of((beta, a, previous) => ((1 - previous) * Math.sqrt(1 - beta)) / (1 - a)),
    // Choi et al. 2022 with gamma 0: no weighting.
    p2_loss_weight: betas.map(() => 1),
  };
  return { timesteps, tables };
}
