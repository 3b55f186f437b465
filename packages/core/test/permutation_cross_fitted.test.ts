import { describe, expect, it } from 'vitest';
import {
  correlationMatrix,
  createRandom,
  permutationTest,
  pixelCorrelation,
  type Random,
  twoWayIdentification,
} from '../src/index.ts';

/** Sweeps of a short experiment: a bar crosses the picture once, in the scored frames alone. */
const SWEEPS = [
  { frames: 46, lead: 10, crossing: 32 },
  { frames: 29, lead: 6, crossing: 18 },
  { frames: 42, lead: 5, crossing: 32 },
  { frames: 33, lead: 5, crossing: 18 },
];
const N = SWEEPS.reduce((sum, { frames }) => sum + frames, 0);
const [WIDTH, HEIGHT, VOXELS] = [10, 8, 40];
const PIXELS = WIDTH * HEIGHT;
const runs = SWEEPS.flatMap(({ frames }, r) => Array<number>(frames).fill(r));
const { pictures, scored } = movingBars();

/** Leftwards, upwards, rightwards, downwards; blank before and after. */
function movingBars() {
  const pictures = new Float64Array(N * PIXELS);
  const scored: number[] = [];
  let first = 0;
  SWEEPS.forEach(({ frames, lead, crossing }, r) => {
    for (let k = 0; k < crossing; k++) {
      const i = first + lead + k;
      const along = (r < 2 ? crossing - 1 - k : k) / (crossing - 1);
      scored.push(i);
      for (let p = 0; p < PIXELS; p++) {
        const [y, x] = [Math.floor(p / WIDTH), p % WIDTH];
        const distance = r % 2 ? y - along * (HEIGHT - 1) : x - along * (WIDTH - 1);
        pictures[i * PIXELS + p] = Math.exp(-(distance ** 2));
      }
    }
    first += frames;
  });
  return { pictures, scored };
}

/** Voxels [N, VOXELS] of autoregressive noise smoothed by a haemodynamic response; each sweep a new recording. */
function emptyBrain(random: Random): Float64Array {
  const response = [0, 0.2, 0.7, 1, 0.9, 0.6, 0.3, 0.1];
  const voxels = new Float64Array(N * VOXELS);
  for (let v = 0; v < VOXELS; v++) {
    let first = 0;
    for (const { frames } of SWEEPS) {
      const noise = [0];
      for (let t = 1; t < frames + 30; t++) noise.push(0.5 * noise[t - 1]! + random.normal());
      for (let t = 0; t < frames; t++) {
        voxels[(first + t) * VOXELS + v] = response.reduce(
          (sum, h, lag) => sum + h * noise[t + 30 - lag]!,
          0,
        );
      }
      first += frames;
    }
  }
  return voxels;
}

/** Each sweep by the linear decoder of the three others, in the limit of strong regularization: weights X' Y. */
function predict(tested: Float64Array, trained: Float64Array): Float64Array {
  const mean = new Float64Array(PIXELS);
  for (let i = 0; i < N * PIXELS; i++) mean[i % PIXELS]! += pictures[i]! / N;
  const out = new Float64Array(N * PIXELS);
  for (let run = 0; run < SWEEPS.length; run++) {
    const weights = new Float64Array(VOXELS * PIXELS);
    for (let i = 0; i < N; i++) {
      if (runs[i] === run) continue;
      for (let v = 0; v < VOXELS; v++) {
        const x = trained[i * VOXELS + v]!;
        for (let p = 0; p < PIXELS; p++)
          weights[v * PIXELS + p]! += x * (pictures[i * PIXELS + p]! - mean[p]!);
      }
    }
    for (let i = 0; i < N; i++) {
      if (runs[i] !== run) continue;
      for (let v = 0; v < VOXELS; v++) {
        const x = tested[i * VOXELS + v]!;
        for (let p = 0; p < PIXELS; p++) out[i * PIXELS + p]! += x * weights[v * PIXELS + p]!;
      }
    }
  }
  return out;
}

const own = Int32Array.from(scored);
const truth = {
  data: Float64Array.from(scored.flatMap((i) => [...pictures.subarray(i * PIXELS, (i + 1) * PIXELS)])),
  shape: [scored.length, PIXELS],
};

/** Shares of empty brains called significant at .05: trained on another brain, cross-fitted, and so declared. */
async function rejections(datasets: number, seed: number) {
  const random = createRandom(seed);
  const none = () => ({ twoWay: 0, frame: 0 });
  const rejected = { separate: none(), crossFitted: none(), declared: none() };
  for (let i = 0; i < datasets; i++) {
    const brain = emptyBrain(random);
    for (const [kind, trained] of [
      ['separate', emptyBrain(random)],
      ['crossFitted', brain],
    ] as const) {
      const data = predict(brain, trained);
      const correlations = await correlationMatrix(truth, { data, shape: [N, PIXELS] });
      const tables = {
        twoWay: twoWayIdentification(correlations, own),
        frame: pixelCorrelation(correlations, own),
      };
      for (const metric of ['twoWay', 'frame'] as const) {
        const options = { exchangeability: 'continuous', runs, permutations: 199, seed: i } as const;
        const count = async (as: keyof typeof rejected, crossFitted: boolean) => {
          const { p } = await permutationTest(tables[metric], { ...options, crossFitted });
          if (p! <= 0.05) rejected[as][metric] += 1 / datasets;
        };
        await count(kind, false);
        if (kind === 'crossFitted') await count('declared', true);
      }
    }
  }
  return rejected;
}

describe('permutationTest on four short sweeps of a brain that saw nothing', () => {
  it('is honest for a decoder of another brain, and for cross-fitted sweeps once it is told', async () => {
    const { separate, crossFitted, declared } = await rejections(400, 30);
    for (const metric of ['twoWay', 'frame'] as const) {
      // Wider than a test of exact exchangeability would allow: shifts of short runs are approximate.
      expect(separate[metric]).toBeGreaterThan(0.02);
      expect(separate[metric]).toBeLessThan(0.09);
      // Rearranged predictions break the tie between the folds.
      expect(crossFitted[metric]).toBeGreaterThan(0.1);
      expect(declared[metric]).toBeGreaterThan(0.02);
      expect(declared[metric]).toBeLessThan(0.08);
    }
  });
});
