import { afterAll, describe, expect, it } from 'vitest';
import { gaussianField, responseToFrame, simulateBars } from '../conformance/bars.ts';
import { pixelExtent } from '../src/decoders/retinotopic/fields.ts';
import { gridOverlaps, matchGrid, paintGrid } from '../src/decoders/retinotopic/grid.ts';
import { CANONICAL_HRF, hrfArea, hrfCurve, hrfKernel, hrfSeconds } from '../src/decoders/retinotopic/hrf.ts';
import { FieldPainter, PRF_PARAMETERS, type PrfModel } from '../src/decoders/retinotopic/prf.ts';
import { refineFields } from '../src/decoders/retinotopic/refine.ts';
import { timeMatrices, timeSystem } from '../src/decoders/retinotopic/timeSystem.ts';
import {
  convolutionMatrix,
  driftBasis,
  removeDrift,
  rowsOutsideGuard,
  volumePositions,
} from '../src/decoders/retinotopic/timing.ts';
import { columnStats, ReferenceBackend, standardize } from '../src/index.ts';
import { erf, gammaCdf, logGamma } from '../src/special.ts';

const backend = new ReferenceBackend();
afterAll(() => backend.dispose());

describe('special functions', () => {
  it('erf', () => {
    // Abramowitz & Stegun, table 7.1.
    expect(erf(0.5)).toBeCloseTo(0.5204998778130465, 14);
    expect(erf(1)).toBeCloseTo(0.8427007929497149, 14);
    expect(erf(-2)).toBeCloseTo(-0.9953222650189527, 14);
    expect(erf(3.5)).toBeCloseTo(0.9999992569016276, 14);
    expect(erf(7)).toBe(1);
  });

  it('logarithm of the gamma function', () => {
    for (let n = 1, factorial = 1; n < 20; factorial *= n++) {
      expect(logGamma(n)).toBeCloseTo(Math.log(factorial), 11);
    }
    expect(logGamma(0.5)).toBeCloseTo(0.5 * Math.log(Math.PI), 12);
  });

  it('gamma distribution', () => {
    expect(gammaCdf(1, 2)).toBeCloseTo(1 - Math.exp(-2), 12);
    const poisson = [0, 1, 2, 3, 4, 5].reduce((sum, n) => sum + 4 ** n / Math.exp(logGamma(n + 1)), 0);
    expect(gammaCdf(6, 4)).toBeCloseTo(1 - Math.exp(-4) * poisson, 12);
    expect(gammaCdf(0.5, 2.25)).toBeCloseTo(erf(1.5), 12);
    expect(gammaCdf(6, 200)).toBeCloseTo(1, 12);
  });
});

describe('haemodynamic response', () => {
  const single = { ...CANONICAL_HRF, undershoot: 0 };

  it.each([0.5, 1.3, 1.317025, 2.4])('the kernel is the response to a frame of one TR: %f s', (tr) => {
    const kernel = hrfKernel(single, { tr, acquisition: 0.5, seconds: 40 });
    responseToFrame(tr).forEach((value, k) => {
      expect(kernel[k]).toBeCloseTo(value, 7);
    });
  });

  it('areas are 1, also where the response is cut off', () => {
    for (const hrf of [single, CANONICAL_HRF]) {
      expect(hrfArea(hrf, 100)).toBeCloseTo(1, 12);
      const seconds = hrfSeconds(hrf);
      for (const acquisition of [0, 0.5, 1]) {
        const kernel = hrfKernel(hrf, { tr: 1.3, acquisition, seconds });
        expect(kernel.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12);
        expect(kernel.length).toBeLessThanOrEqual(Math.ceil(seconds / 1.3) + 2);
      }
    }
  });

  it('99 % of the response lie within its length', () => {
    expect(hrfSeconds(single)).toBeGreaterThan(12);
    expect(hrfSeconds(single)).toBeLessThan(14);
    expect(hrfSeconds(CANONICAL_HRF)).toBeGreaterThan(18);
    expect(hrfSeconds(CANONICAL_HRF)).toBeLessThan(26);
  });

  it('the curve peaks at 5 s and dips below zero', () => {
    const { times, values } = hrfCurve(CANONICAL_HRF, 25);
    expect(times[values.indexOf(Math.max(...values))]).toBeCloseTo(5, 1);
    expect(Math.min(...values)).toBeLessThan(0);
    expect(values.reduce((sum, value) => sum + 0.1 * value, 0)).toBeCloseTo(1, 2);
  });
});

describe('rows and frames', () => {
  it('leaves out the volumes that follow unknown frames, and no others', () => {
    const volumes = [0, 1, 2, 6, 7, 8, 9, 10, 11];
    const positions = volumePositions(
      volumes.map(() => 'a'),
      volumes,
      undefined,
    );
    expect([...rowsOutsideGuard(positions, 3)]).toEqual([0, 1, 2, 6, 7, 8]);
    expect([...rowsOutsideGuard(positions, 0)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('takes runs for recordings of their own unless volumes are stated', () => {
    const apart = volumePositions(['a', 'a', 'b', 'b'], undefined, undefined);
    const kernel = Float64Array.of(1, 0.5);
    expect([...convolutionMatrix(apart, [0, 1, 2, 3], kernel)]).toEqual(
      [
        [1, 0, 0, 0],
        [0.5, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0.5, 1],
      ].flat(),
    );
    const joined = volumePositions(['a', 'a', 'b', 'b'], [4, 5, 6, 7], undefined);
    expect([...convolutionMatrix(joined, [2], kernel)]).toEqual([0, 0.5, 1, 0]);
    expect(() => volumePositions(['a', 'a'], [3, 3], undefined)).toThrow(/volumes: two rows are one volume/);
    expect(() => volumePositions(['a'], [0.5], undefined)).toThrow(/whole numbers from 0, found 0.5/);
  });

  it('removes the mean and the line of each recording', () => {
    const basis = driftBasis(['a', 'a', 'a', 'b', 'b', 'b'], 1);
    const series = Float64Array.of(1, 3, 5, 10, 20, 60);
    removeDrift(series, 1, basis);
    [0, 0, 0, 5, -10, 5].forEach((value, t) => {
      expect(series[t]).toBeCloseTo(value, 10);
    });
  });
});

describe('time in a block', () => {
  const kernel = Float64Array.of(0.1, 0.5, 0.4, 0.2, -0.1);
  const lead = 4;

  it.each([
    [1, -1],
    [3, -1],
    [12, -1],
    [12, 0],
    [12, 2],
  ])(
    '%i volumes, drift of degree %i: the band and the few columns make the dense matrices',
    async (volumes, degree) => {
      const frames = lead + volumes;
      // The first frames are those before the block: the first volume sees them.
      const dense = new Float64Array(volumes * frames);
      for (let t = 0; t < volumes; t++) {
        for (let k = 0; k <= lead; k++) dense[t * frames + lead + t - k] = kernel[k]!;
      }
      const projected = Float64Array.from(dense);
      if (degree >= 0) removeDrift(projected, frames, driftBasis(new Array(volumes).fill('r'), degree));
      const system = await timeSystem(volumes, kernel, degree, undefined);
      const { gram, adjoint, roughness } = await timeMatrices(system, undefined);
      const product = (i: number, j: number) => {
        let sum = 0;
        for (let t = 0; t < volumes; t++) sum += projected[t * frames + i]! * projected[t * frames + j]!;
        return sum;
      };
      let trace = 0;
      for (let i = 0; i < frames; i++) {
        if (i >= lead) trace += product(i, i);
        for (let j = 0; j < frames; j++) {
          expect(gram[i * frames + j]).toBeCloseTo(product(i, j), 6);
          const step = i === j ? (i > 0 ? 1 : 0) + (i + 1 < frames ? 1 : 0) : Math.abs(i - j) === 1 ? -1 : 0;
          expect(roughness[i * frames + j]).toBe(step);
        }
        for (let t = 0; t < volumes; t++) {
          expect(adjoint[i * volumes + t]).toBeCloseTo(projected[t * frames + i]!, 6);
        }
      }
      expect(system).toMatchObject({ frames, lead });
      expect(system.mean).toBeCloseTo(trace / volumes, 12);
      // The eigenvalue is approached from below, and lies above what any one vector shows.
      const rayleigh = (vector: Float64Array) => {
        const seen = Float64Array.from({ length: volumes }, (_, t) =>
          vector.reduce((sum, value, i) => sum + value * projected[t * frames + i]!, 0),
        );
        return (
          seen.reduce((sum, value) => sum + value * value, 0) / vector.reduce((sum, x) => sum + x * x, 0)
        );
      };
      for (let cycles = 0; cycles < frames; cycles++) {
        const wave = Float64Array.from({ length: frames }, (_, i) =>
          Math.cos((Math.PI * cycles * i) / frames),
        );
        expect(rayleigh(wave)).toBeLessThan(1.05 * system.largest);
      }
      let whole = 0;
      for (let i = 0; i < frames; i++) whole += product(i, i);
      expect(system.largest).toBeLessThan(whole + 1e-9);
    },
  );

  it('an abort ends its preparation', async () => {
    const controller = new AbortController();
    const run = timeSystem(200_000, kernel, 1, controller.signal);
    controller.abort();
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('receptive fields', () => {
  const [height, width] = [6, 8];
  const visual = pixelExtent(height, width);

  it('are areas over pixels, in pixels or degrees', () => {
    const painter = new FieldPainter('gaussian', visual, height, width);
    const out = new Float32Array(height * width);
    painter.paint(Float64Array.of(2.3, 4.1, Math.log(0.7)), out, 0, 1, 1);
    const expected = gaussianField(2.3, 4.1, 0.7, height, width);
    out.forEach((value, p) => {
      expect(value).toBeCloseTo(expected[p]!, 3);
    });
    // The same place in a visual field of 16 x 12 degrees, y up.
    const degrees = { unit: 'degrees', extent: { left: -8, right: 8, top: 6, bottom: -6 } } as const;
    const again = new Float32Array(height * width);
    new FieldPainter('gaussian', degrees, height, width).paint(
      Float64Array.of(2.3 * 2 - 8, 6 - 4.1 * 2, Math.log(1.4)),
      again,
      0,
      1,
      1,
    );
    again.forEach((value, p) => {
      expect(value).toBeCloseTo(out[p]!, 6);
    });
  });

  it.each(['gaussian', 'dog'] as const)('derivatives of %s are those of finite differences', (model) => {
    const painter = new FieldPainter(model, visual, height, width);
    const theta = Float64Array.of(3.1, 2.2, 0.1, 0.7, 0.6).subarray(0, PRF_PARAMETERS[model].length);
    const rows = theta.length + 1;
    const out = new Float32Array(rows * painter.pixels);
    painter.paint(theta, out, 0, rows, 1);
    for (let j = 0; j < theta.length; j++) {
      const sides = [1e-3, -1e-3].map((shift) => {
        const moved = theta.map((value, i) => value + (i === j ? shift : 0));
        const field = new Float32Array(painter.pixels);
        painter.paint(moved, field, 0, 1, 1);
        return field;
      });
      for (let p = 0; p < painter.pixels; p++) {
        const slope = (sides[0]![p]! - sides[1]![p]!) / 2e-3;
        expect(Math.abs(out[(j + 1) * painter.pixels + p]! - slope)).toBeLessThan(1e-4);
      }
    }
  });
});

/** What search and refinement take, of a simulated subject. */
async function problemOf(model: PrfModel, noise: number, exponent = 1) {
  const bars = simulateBars({ voxels: 24, noise, seed: 3, exponent });
  const { height, width, tr, frames, betas, runs, voxels } = bars;
  const positions = volumePositions(runs, Int32Array.from(runs, (_, i) => i) as ArrayLike<number>, undefined);
  const hrf = { ...CANONICAL_HRF, undershoot: 0 };
  const kernel = hrfKernel(hrf, { tr, acquisition: 0.5, seconds: 25 });
  const rows = Int32Array.from(runs, (_, i) => i);
  const basis = driftBasis(
    runs.map(() => 'one'),
    0,
  );
  const n = runs.length;
  const matrix = convolutionMatrix(positions, rows, kernel);
  removeDrift(matrix, n, basis);
  const series = Float64Array.from(betas);
  removeDrift(series, voxels, basis);
  const responses = Float32Array.from(series);
  const visual = pixelExtent(height, width);
  const shown = backend.tensor(frames, [n, height * width]);
  const convolution = backend.tensor(Float32Array.from(matrix), [n, n]);
  const y = backend.tensor(responses, [n, voxels]);
  const { mean, std } = columnStats(y);
  const z = standardize(y, { mean, std });
  const painted = await paintGrid(backend, model, visual, [height, width], {});
  const { theta: grid } = painted;
  const overlaps = gridOverlaps(shown, painted, {});
  const match = await matchGrid(overlaps, convolution, z, { signed: false });
  const count = PRF_PARAMETERS[model].length;
  const start = Float64Array.from({ length: voxels * count }, (_, i) => {
    return grid[match.cell[Math.floor(i / count)]! * count + (i % count)]!;
  });
  const problem = {
    model,
    visual,
    size: [height, width],
    frames: shown,
    convolution,
    signed: false,
  } as const;
  return { bars, match, start, problem, responses, matrix, grid, count };
}

describe('fits', () => {
  it('the grid search finds the cell that plain loops find', async () => {
    const { bars, match, grid, matrix, responses } = await problemOf('gaussian', 1);
    const n = bars.runs.length;
    const pixels = bars.height * bars.width;
    const cells = grid.length / 3;
    const predictions = Array.from({ length: cells }, (_, cell) => {
      const [x, y, logSize] = grid.subarray(3 * cell, 3 * cell + 3) as unknown as [number, number, number];
      const field = new Float32Array(pixels);
      new FieldPainter('gaussian', pixelExtent(bars.height, bars.width), bars.height, bars.width).paint(
        Float64Array.of(x, y, logSize),
        field,
        0,
        1,
        1,
      );
      const drive = Float64Array.from({ length: n }, (_, t) =>
        field.reduce((sum, weight, p) => sum + weight * bars.frames[t * pixels + p]!, 0),
      );
      return Float64Array.from({ length: n }, (_, t) =>
        drive.reduce((sum, value, u) => sum + matrix[t * n + u]! * value, 0),
      );
    });
    for (let v = 0; v < bars.voxels; v++) {
      const y = Float64Array.from({ length: n }, (_, t) => responses[t * bars.voxels + v]!);
      const scores = predictions.map((prediction) => pearson(prediction, y));
      const best = Math.max(...scores);
      // Cells are compared in steps of 2^-12.
      expect(best - scores[match.cell[v]!]!).toBeLessThan(2.5e-4);
      expect(Math.abs(match.correlation[v]! - best)).toBeLessThan(2.5e-4);
    }
  });

  it('refinement recovers the fields of noise-free voxels, and never fits worse than the grid', async () => {
    const { bars, start, problem, responses, match } = await problemOf('gaussian', 0.02);
    const refined = await refineFields(problem, start, responses, 20, {});
    for (let v = 0; v < bars.voxels; v++) {
      expect(refined.theta[3 * v]).toBeCloseTo(bars.truth.x[v]!, 1);
      expect(refined.theta[3 * v + 1]).toBeCloseTo(bars.truth.y[v]!, 1);
      expect(Math.abs(Math.exp(refined.theta[3 * v + 2]!) - bars.truth.size[v]!)).toBeLessThan(0.1);
      expect(Math.abs(refined.amplitude[v]! / bars.truth.amplitude[v]! - 1)).toBeLessThan(0.05);
      expect(refined.correlation[v]).toBeGreaterThan(0.999);
      expect(refined.correlation[v]).toBeGreaterThan(match.correlation[v]!);
    }
  });

  it.each(['gaussian', 'css', 'dog'] as const)('refinement of %s raises the fit to noise', async (model) => {
    const { bars, start, problem, responses, match } = await problemOf(model, 1);
    const refined = await refineFields(problem, start, responses, 10, {});
    let gain = 0;
    for (let v = 0; v < bars.voxels; v++) {
      expect(refined.correlation[v]).toBeGreaterThanOrEqual(match.correlation[v]! - 1.3e-4);
      gain += refined.correlation[v]! - match.correlation[v]!;
    }
    expect(gain / bars.voxels).toBeGreaterThan(1e-3);
  });

  it('compressive fields find the exponent', async () => {
    const { bars, start, problem, responses } = await problemOf('css', 0.02, 0.5);
    const refined = await refineFields(problem, start, responses, 30, {});
    const exponents = Array.from({ length: bars.voxels }, (_, v) => Math.exp(refined.theta[4 * v + 3]!));
    exponents.sort((a, b) => a - b);
    expect(Math.abs(exponents[bars.voxels / 2]! - 0.5)).toBeLessThan(0.05);
  });
});

function pearson(a: Float64Array, b: Float64Array): number {
  const mean = (x: Float64Array) => x.reduce((sum, value) => sum + value, 0) / x.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
}
