import type { Backend } from '../../src/backend.ts';
import type { Recorded } from '../../src/diffusion/noise.ts';
import { Prior } from '../../src/diffusion/prior.ts';
import { drawPrior } from '../../src/diffusion/sample.ts';
import { cosineSchedule, type NoiseSchedule, SCHEDULE_TABLES } from '../../src/diffusion/schedule.ts';
import { ddimTimes } from '../../src/diffusion/steps.ts';
import { mul } from '../../src/ops/elementwise.ts';
import { mindeyePrior } from '../../src/weights/schemas/index.ts';
import { assert } from '../assert.ts';
import { type Adapter, hyperNumber, type Produced, produced, upload } from './adapter.ts';
import type { GoldenCase } from './case.ts';
import { goldenNetwork } from './network.ts';

/** MindEye2: DDIM of 20 timesteps, 19 evaluations, with recorded noise; and the tables of the schedule. */
export const mindeye2PriorSampling: Adapter = {
  prefix: 'mindeye2_prior_sampling',
  async run(golden, backend) {
    const timesteps = hyperNumber(golden, 'ddim_timesteps');
    const schedule = await checkedSchedule(golden);
    const times = ddimTimes(schedule, timesteps);
    return new Map([
      ...(await sampled(golden, backend, 'ddim', schedule, timesteps)),
      ['mid.ddim.times', { shape: [times.length], data: Float64Array.from(times) }],
      ['mid.ddim.evaluated_t', { shape: [times.length - 1], data: Float64Array.from(times.slice(0, -1)) }],
    ]);
  },
};

/** MindEye1: DDPM of 100 timesteps with recorded noise, and its scaling. */
export const mindeye1PriorSampling: Adapter = {
  prefix: 'mindeye1_prior_sampling',
  async run(golden, backend) {
    const schedule = await checkedSchedule(golden);
    return sampled(golden, backend, 'ddpm', schedule, schedule.timesteps);
  },
};

/** `out.sample_<sampler>`, and the network's inputs and outputs at the evaluations that the file has. */
async function sampled(
  golden: GoldenCase,
  backend: Backend,
  sampler: string,
  schedule: NoiseSchedule,
  timesteps: number,
) {
  const { network } = await goldenNetwork(golden, backend, mindeyePrior);
  const prior = await Prior.open(network);
  const brain = await upload(golden, backend, 'in.brain_embed');
  const noise = {
    initial: await recorded(golden, 'in.noise_init'),
    steps: await recorded(golden, 'in.noise_steps'),
  };
  const index = `mid.${sampler}.eval_index`;
  const kept = golden.has(index) ? new Set((await golden.read(index)).data) : undefined;
  const seen: Promise<[input: Produced, estimate: Produced]>[] = [];
  const sample = await drawPrior(prior, brain, {
    schedule,
    timesteps,
    noise,
    onStep: ({ done, input, estimate }) => {
      if (kept && !kept.has(done - 1)) return;
      seen.push(Promise.all([produced(input), produced(estimate)]));
    },
  });
  const scaled = mul(sample, 1 / hyperNumber(golden, 'image_embed_scale', 1));
  const steps = await Promise.all(seen);
  return new Map<string, Produced>([
    [`out.sample_${sampler}`, await produced(scaled)],
    [`mid.${sampler}.x_t`, stacked(steps.map(([input]) => input))],
    [`mid.${sampler}.x0`, stacked(steps.map(([, estimate]) => estimate))],
  ]);
}

async function recorded(golden: GoldenCase, name: string): Promise<Recorded> {
  const { shape, data } = await golden.read(name);
  return { shape, data: Float32Array.from(data) };
}

function stacked(list: readonly Produced[]): Produced {
  const { shape, data } = list[0]!;
  const all = new Float64Array(list.length * data.length);
  for (const [i, one] of list.entries()) all.set(one.data, i * data.length);
  return { shape: [list.length, ...shape], data: all };
}

/** The schedule, its tables held against those of the checkpoint: equal to rounding to float32. */
async function checkedSchedule(golden: GoldenCase) {
  const schedule = cosineSchedule(hyperNumber(golden, 'num_timesteps', 100));
  for (const name of SCHEDULE_TABLES) {
    const { data } = await golden.read(`weights.noise_scheduler.${name}`);
    const own = schedule.tables[name];
    const far = own.findIndex((value, t) => !(Math.abs(value - data[t]!) <= 2 ** -22 * Math.abs(value)));
    assert(own.length === data.length && far < 0, `noise_scheduler.${name} differs at timestep ${far}`);
  }
  return schedule;
}
