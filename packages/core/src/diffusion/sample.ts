import { arrival } from '../arrival.ts';
import { F2iError, throwIfAborted } from '../error.ts';
import { add, mul } from '../ops/elementwise.ts';
import type { OpOptions } from '../ops/op.ts';
import type { Tensor } from '../tensor.ts';
import { type NoiseDraws, type RecordedNoise, recordedNoise, seededNoise } from './noise.ts';
import { type Prior, type PriorCondition, repeatItems } from './prior.ts';
import { cosineSchedule, type NoiseSchedule } from './schedule.ts';
import { priorSteps, type SamplerStep } from './steps.ts';

export interface SamplePriorOptions extends OpOptions {
  /** 20 by default: DDIM with 19 evaluations, as MindEye2 does. 100: DDPM, as MindEye1 does. */
  readonly timesteps?: number | undefined;
  /** The noise that the prior was trained with: the cosine schedule of 100 timesteps by default. */
  readonly schedule?: NoiseSchedule | undefined;
  /** Samples of each item; 1 by default. */
  readonly samples?: number | undefined;
  /** 0 by default. */
  readonly seed?: number | undefined;
  /** Numbers of the items, for the seed's streams: their trials. 0, 1, ... by default. */
  readonly items?: readonly number[] | undefined;
  /** Instead of draws from the seed: of all samples, those of the first item first. */
  readonly noise?: RecordedNoise | undefined;
  /**
   * Guidance by what the network says without brain and image tokens: `without + scale (with - without)`. 1, the published
   * value, does without the second evaluation.
   */
  readonly guidance?: number | undefined;
}

/** How far a sampler is. The tensors are freed when the next step is asked for. */
export interface SamplingStep {
  /** Evaluations done, and how many there are. */
  readonly done: number;
  readonly total: number;
  readonly timestep: number;
  /** What the network was given: [items * samples, tokens, dim]. */
  readonly input: Tensor;
  /** What it says the sample is: a preview. */
  readonly estimate: Tensor;
}

/**
 * Samples image tokens given the brain's. Everything stays on the device; each step is awaited, so that progress is real and
 * leaving the loop, or an abort, ends it within an evaluation and frees all of it.
 *
 * @param brain [items, tokens, dim]
 * @returns [items * samples, tokens, dim], the samples of an item side by side, in the units that the prior was trained on;
 *   the caller's to dispose
 * @throws INVALID_ARGUMENT, CANCELLED
 * @example
 * const steps = samplePrior(prior, brain, { seed: 42 });
 * let step = await steps.next();
 * for (; !step.done; step = await steps.next()) console.log(step.value.done, step.value.total);
 * const tokens = step.value;
 */
export async function* samplePrior(
  prior: Prior,
  brain: Tensor,
  options: SamplePriorOptions = {},
): AsyncGenerator<SamplingStep, Tensor, void> {
  const { backend, tokens, dim } = prior;
  const { signal, guidance = 1, timesteps = 20, schedule = cosineSchedule() } = options;
  throwIfAborted(signal, SAMPLING);
  const steps = priorSteps(schedule, timesteps);
  const { batch, draws } = noiseOf(prior, brain, steps, options);
  const held = new Set<Disposable>();
  const hold = <T extends Disposable>(thing: T): T => {
    held.add(thing);
    return thing;
  };
  const free = (thing: Disposable) => {
    held.delete(thing);
    thing[Symbol.dispose]();
  };
  try {
    const repeated = hold(
      backend.scope(() => repeatItems(brain, [brain.shape[0]!, tokens, dim], batch, { signal })),
    );
    const condition = hold(prior.condition(repeated, { signal }));
    const without = guidance === 1 ? undefined : hold(unconditional(prior, batch, { signal }));
    const times = hold(
      prior.embedTime(
        steps.map(({ timestep }) => timestep),
        { signal },
      ),
    );
    const nobody = without && hold(prior.nullImage(batch));
    // All but a handful of a step's ops, and what changes from step to step are operands: those of the step itself have its
    // coefficients, and draw its noise.
    const evaluation = hold(
      backend.graph(([noisy, time], options) => {
        const said = prior.predict(condition, noisy, time, options);
        if (!without || !nobody) return [said];
        const unsaid = prior.predict(without, nobody, time, options);
        return [add(mul(said, guidance, options), mul(unsaid, 1 - guidance, options), options)];
      }),
    );
    let drawn = 0;
    let x = hold(draws(drawn++));
    for (const [i, step] of steps.entries()) {
      const [estimate] = backend.scope(() => evaluation.launch([x, times.rows(i, i + 1)], { signal }));
      hold(estimate);
      const noise = step.fromNoise === 0 ? undefined : hold(draws(drawn++));
      const next = hold(backend.scope(() => advance(step, x, estimate, noise, { signal })));
      if (noise) free(noise);
      await arrival(next);
      yield { done: i + 1, total: steps.length, timestep: step.timestep, input: x, estimate };
      throwIfAborted(signal, SAMPLING);
      free(estimate);
      free(x);
      x = next;
    }
    held.delete(x);
    return x;
  } finally {
    for (const thing of held) thing[Symbol.dispose]();
  }
}

const SAMPLING = 'sampling the prior';

/** {@link samplePrior} without its steps. */
export async function drawPrior(
  prior: Prior,
  brain: Tensor,
  options: SamplePriorOptions & { onStep?: (step: SamplingStep) => void } = {},
): Promise<Tensor> {
  const sampling = samplePrior(prior, brain, options);
  try {
    for (;;) {
      const { done, value } = await sampling.next();
      if (done) return value;
      options.onStep?.(value);
    }
  } finally {
    // Where onStep throws, sampling has not ended, and holds what it drew. (Its result is of no use then.)
    await sampling.return(undefined as never);
  }
}

function noiseOf(
  { backend, tokens, dim }: Prior,
  brain: Tensor,
  steps: readonly SamplerStep[],
  { samples = 1, seed = 0, items, noise, signal }: SamplePriorOptions,
): { batch: number; draws: NoiseDraws } {
  const count = brain.shape[0] ?? 0;
  if (count === 0)
    throw invalid('there is nothing to sample for', 'brain', 'one item or more', `[${brain.shape}]`);
  if (!Number.isInteger(samples) || samples < 1) {
    throw invalid('not a number of samples', 'samples', '1 or more', `${samples}`);
  }
  const numbers = items ?? Array.from({ length: count }, (_, i) => i);
  if (numbers.length !== count) {
    throw invalid('a number for each item', 'items', `${count}`, `${numbers.length}`);
  }
  const batch = count * samples;
  if (noise) {
    const draws = steps.filter(({ fromNoise }) => fromNoise > 0).length;
    return { batch, draws: recordedNoise(backend, [batch, tokens, dim], draws, noise) };
  }
  const streams = numbers.flatMap((item) =>
    Array.from({ length: samples }, (_, sample) => ({ item, sample })),
  );
  return { batch, draws: seededNoise(backend, [tokens, dim], seed, streams, signal) };
}

function unconditional(prior: Prior, batch: number, options: OpOptions): PriorCondition {
  const brain = prior.nullBrain(batch);
  try {
    return prior.condition(brain, options);
  } finally {
    brain.dispose();
  }
}

function advance(
  { fromEstimate, fromInput, fromNoise }: SamplerStep,
  x: Tensor,
  estimate: Tensor,
  noise: Tensor | undefined,
  options: OpOptions,
): Tensor {
  const terms: [Tensor, number][] = [
    [estimate, fromEstimate],
    [x, fromInput],
    ...(noise ? [[noise, fromNoise] satisfies [Tensor, number]] : []),
  ];
  return terms
    .filter(([, factor]) => factor !== 0)
    .map(([term, factor]) => (factor === 1 ? term.reshape(...term.shape) : mul(term, factor, options)))
    .reduce((sum, term) => add(sum, term, options));
}

function invalid(message: string, field: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field, expected, found });
}
