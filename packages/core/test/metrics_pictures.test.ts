import { afterAll, describe, expect, it } from 'vitest';
import {
  brainCorrelation,
  colourSsim,
  correlationDistance,
  correlationMatrix,
  createRandom,
  createReferenceBackend,
  mindeyePictures,
  mindeyeRetrieval,
  mindeyeTwoWay,
  nsdImageryTwoWay,
  numpyDraws,
  type Plane,
  pairedCorrelation,
  type Rows,
  retrieval,
  type SsimOptions,
  ssim,
} from '../src/index.ts';

const backend = createReferenceBackend();
afterAll(() => backend.dispose());

const rowsOf = (data: number[][]): Rows => ({
  data: Float64Array.from(data.flat()),
  shape: [data.length, data[0]!.length],
});

function randomRows(shape: number[], seed: number): Rows {
  const size = shape.reduce((product, extent) => product * extent);
  const random = createRandom(seed);
  return { data: Float64Array.from({ length: size }, () => random.uniform()), shape };
}

function plane(height: number, width: number, at: (i: number, j: number) => number): Plane {
  const data = Float64Array.from({ length: height * width }, (_, k) => at(Math.floor(k / width), k % width));
  return { data, height, width };
}

const GAUSSIAN: SsimOptions['window'] = { kind: 'gaussian', sigma: 1.5, truncate: 3.5 };

describe('ssim', () => {
  // Values of a plain loop over windows in numpy, borders mirrored.
  const a = plane(13, 17, (i, j) => 0.5 + 0.3 * Math.sin(0.7 * i + (0.2 * j * j) / 9));
  const b = plane(13, 17, (i, j) => 0.5 + 0.25 * Math.cos(0.5 * j + 0.3 * i));

  it('is the mean over the plane without its border', () => {
    const { mean, map } = ssim(a, b, { window: GAUSSIAN });
    expect(mean).toBeCloseTo(-0.011052066825760345, 12);
    expect(map[0]).toBeCloseTo(-0.3515956851877443, 12);
    expect(map[12 * 17 + 3]).toBeCloseTo(-0.06186666500543863, 12);
  });

  it('takes each column as a signal by itself', () => {
    expect(ssim(a, b, { window: GAUSSIAN, axes: 'rows' }).mean).toBeCloseTo(0.09518424765049888, 12);
  });

  it('takes equal weights and sample variances, and the mean over channels', () => {
    const options: SsimOptions = { window: { kind: 'uniform', size: 7 }, sampleCovariance: true };
    expect(ssim(a, b, options).mean).toBeCloseTo(0.033833839842780884, 12);
    expect(colourSsim([a, a], [a, b])).toBeCloseTo((1 + 0.033833839842780884) / 2, 12);
  });

  it('does not depend on the unit of the values, if the range is of it', () => {
    const scaled = ({ data, height, width }: Plane) => ({ data: data.map((x) => 255 * x), height, width });
    const { mean } = ssim(scaled(a), scaled(b), { window: GAUSSIAN, range: 255 });
    expect(mean).toBeCloseTo(ssim(a, b, { window: GAUSSIAN }).mean, 12);
  });

  it.each<[string, Plane, SsimOptions, RegExp]>([
    ['planes of other sizes', plane(17, 13, () => 0), { window: GAUSSIAN }, /one size.*13 x 17.*17 x 13/],
    ['a window without a middle', b, { window: { kind: 'uniform', size: 4 } }, /window\.size.*odd.*found 4/],
    ['a window larger than the picture', b, { window: { kind: 'uniform', size: 15 } }, /15 pixels or more/],
    ['a Gaussian of no pixels', b, { window: { kind: 'gaussian', sigma: 0.1, truncate: 1 } }, /half a pixel/],
  ])('refuses %s', (_, other, options, message) => {
    expect(() => ssim(a, other, options)).toThrow(message);
  });
});

describe('mindeyePictures', () => {
  const truth = randomRows([3, 12, 14, 3], 1);
  const recon = randomRows([3, 12, 14, 3], 2);

  it('gives 1 to equal pictures, whatever their number of channels', async () => {
    for (const pictures of [truth, randomRows([2, 12, 12], 3)]) {
      const scores = await mindeyePictures(pictures, pictures, {
        backend,
        side: 20,
        metrics: ['pixCorr', 'ssim', 'ssimColumns'],
      });
      for (const values of Object.values(scores))
        for (const value of values) expect(value).toBeCloseTo(1, 12);
    }
  });

  it('correlates pixels at the size they were enlarged to, and leaves nothing on the device', async () => {
    const { pixCorr, ssim } = await mindeyePictures(truth, recon, { backend, side: 12 });
    // At their own size nothing is interpolated.
    const flat = ({ data }: Rows): Rows => ({ data, shape: [3, 12 * 14 * 3] });
    expect([...pixCorr]).toEqual(
      Array.from(pairedCorrelation(flat(truth), flat(recon)), (r) => expect.closeTo(r, 12)),
    );
    const larger = await mindeyePictures(truth, recon, { backend, side: 25 });
    expect(Math.abs(larger.pixCorr[0]! - pixCorr[0]!)).toBeGreaterThan(1e-4);
    expect([...ssim].every((value) => Math.abs(value) < 0.5)).toBe(true);
    expect(backend.stats().liveTensors).toBe(0);
  });

  it('knows grey pictures from colours by their luminance', async () => {
    // Equal luminance, other colours: 0.2125 red is as bright as 0.7154 green.
    const coloured = (red: number, green: number): Rows => ({
      data: Float64Array.from({ length: 15 * 15 * 3 }, (_, i) => {
        const level = ((Math.floor(i / 3) * 7) % 11) / 40;
        return [red * level, green * level, 0][i % 3]!;
      }),
      shape: [1, 15, 15, 3],
    });
    const [red, green] = [coloured(1 / 0.2125, 0), coloured(0, 1 / 0.7154)];
    const scores = await mindeyePictures(red, green, { backend, side: 15 });
    expect(scores.ssim[0]).toBeCloseTo(1, 10);
    expect(scores.pixCorr[0]).toBeLessThan(0.5);
  });

  it('refuses what are no pictures, or of other sizes', async () => {
    const flat = randomRows([3, 12], 1);
    await expect(mindeyePictures(flat, flat, { backend })).rejects.toThrow(/not pictures.*found \[3, 12\]/);
    const options = { backend, side: 20 };
    await expect(mindeyePictures(truth, randomRows([3, 14, 12, 3], 1), options)).rejects.toThrow(
      /expected \[3, 12, 14, 3\], found \[3, 14, 12, 3\]/,
    );
    const stopped = { ...options, signal: AbortSignal.abort() };
    await expect(mindeyePictures(truth, recon, stopped)).rejects.toThrow(/cancelled/i);
  });
});

describe('brainCorrelation', () => {
  const measured = rowsOf([
    [1, 2, 3, 9, 5],
    [4, 1, 0, 7, 2],
  ]);
  const predicted = rowsOf([
    [2, 4, 6, -50, 10],
    [1, 4, 5, 80, 3],
  ]);

  it('correlates across the voxels of a region alone', () => {
    const [first, second] = brainCorrelation(measured, predicted, [true, true, true, false, true]);
    expect(first).toBeCloseTo(1, 12);
    expect(second).toBeCloseTo(-1, 12);
    expect(brainCorrelation(measured, predicted)[0]).toBeLessThan(0);
  });

  it.each([
    [[true, false, false, false, false], /at least 2 of them true, found 5, 1/],
    [[true, true], /each of 5 voxels.*found 2/],
  ])('refuses the region %j', (region, message) => {
    expect(() => brainCorrelation(measured, predicted, region)).toThrow(message);
  });

  it('refuses NaN, and as many images as responses it has not', () => {
    const bad = { data: measured.data.slice(), shape: measured.shape };
    bad.data[6] = Number.NaN;
    expect(() => brainCorrelation(bad, predicted)).toThrow(/row 1/);
    expect(() => brainCorrelation(measured, rowsOf([[1, 2, 3, 4, 5]]))).toThrow(
      /2 rows of 5, found 1 rows of 5/,
    );
  });
});

describe('protocols', () => {
  it('distance is 1 minus the correlation; flat features are unrelated to anything', () => {
    const truth = rowsOf([
      [1, 2, 3],
      [1, 2, 4],
    ]);
    const recon = rowsOf([
      [3, 2, 1],
      [0.1, 0.1, 0.1],
    ]);
    expect([...correlationDistance(truth, recon)]).toEqual([expect.closeTo(2, 12), 1]);
  });

  it('counts defeated pictures, and the imagery benchmark one too few', async () => {
    const truth = randomRows([7, 30], 4);
    const random = createRandom(5);
    const recon = { data: truth.data.map((x) => x + 2 * random.normal()), shape: [7, 30] };
    const correlations = await correlationMatrix(truth, recon);
    const { counts, score } = mindeyeTwoWay(correlations);
    const r = (i: number, j: number) => correlations.values[i * 7 + j]!;
    for (let j = 0; j < 7; j++) {
      let defeated = 0;
      for (let i = 0; i < 7; i++) if (r(i, j) < r(j, j)) defeated++;
      expect(counts[j]).toBe(defeated);
    }
    expect(score).toBeCloseTo(counts.reduce((sum, count) => sum + count, 0) / 7 / 6, 12);
    expect(score).toBeLessThan(1);
    expect(nsdImageryTwoWay(correlations)).toBeCloseTo(score - 1 / 6, 12);
    expect(nsdImageryTwoWay(await correlationMatrix(truth, truth))).toBeCloseTo(1 - 1 / 6, 12);
  });

  it('draws the pools of the notebooks where there are enough images', async () => {
    const image = randomRows([310, 4], 6);
    const random = createRandom(7);
    const brain = { data: image.data.map((x) => x + 0.05 * random.normal()), shape: image.shape };
    const published = await mindeyeRetrieval(brain, image);
    const { brainToImage } = await retrieval(brain, image, { draws: numpyDraws(42, 310, 300, 30) });
    expect(published.brainToImage.published).toEqual(brainToImage.published);
    expect(published).toMatchObject({ pool: 300, draws: 30 });
    const few = { data: image.data.slice(0, 80), shape: [20, 4] };
    expect(await mindeyeRetrieval(few, few)).toMatchObject({
      pool: 20,
      note: expect.stringContaining('20 stimuli instead of 300'),
    });
  });
});
