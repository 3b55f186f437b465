import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  bytesSource,
  createRandom,
  encodeNifti,
  encodeNpy,
  openNifti,
  readPng,
  type VoxelSelection,
} from '@fmri2image/core';
import { fileSource } from '@fmri2image/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { colourOf } from '../src/maps/colours.ts';
import { colourLimit, drawMosaic } from '../src/maps/mosaic.ts';
import { slicesOf, turned } from '../src/maps/slices.ts';
import { run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();

/** Left is high in the image's first axis, as in radiological files; the second and third axes are exchanged. */
const GRID = [8, 6, 9] as const;
const AFFINE = [
  [-3, 0, 0, 12],
  [0, 0, 2, -10],
  [0, 4, 0, -6],
];
const random = createRandom(5);
/** Some voxels of the grid, ascending. */
const INDICES = Int32Array.from(
  Array.from({ length: GRID[0] * GRID[1] * GRID[2] }, (_, i) => i).filter(() => random.uniform() < 0.4),
);
const selection: VoxelSelection = {
  description: 'voxels of mask.nii.gz',
  indices: INDICES,
  space: { kind: 'image', grid: GRID, affine: AFFINE },
};
const place = (voxel: number) => [
  voxel % GRID[0],
  Math.floor(voxel / GRID[0]) % GRID[1],
  Math.floor(voxel / GRID[0] / GRID[1]),
];
/** Millimetres to the right, to the front, upwards. */
const millimetres = (voxel: number) =>
  AFFINE.map((row) => row[3]! + place(voxel).reduce((sum, i, axis) => sum + row[axis]! * i, 0));

describe('slices', () => {
  it('lie where the affine says: left is left, front and top are up, each voxel at its millimetres', () => {
    const voxels = turned(selection);
    expect(voxels.millimetres).toEqual([3, 2, 4]);
    const lowest = [0, 1, 2].map((axis) => Math.min(...Array.from(INDICES, (v) => millimetres(v)[axis]!)));
    const views = { sagittal: [0, 1, 2], coronal: [1, 0, 2], axial: [2, 0, 1] } as const;
    for (const [view, [across, columns, rows]] of Object.entries(views)) {
      const all = slicesOf(voxels, view as keyof typeof views, 50);
      // Enough slices to show every voxel once.
      const shown = all.flatMap((slice) => slice.pixels.map(({ voxel }) => voxel));
      expect(shown.sort((a, b) => a - b)).toEqual([...INDICES.keys()]);
      for (const { pixels, position, height } of all) {
        for (const { voxel, column, row } of pixels) {
          const at = millimetres(INDICES[voxel]!);
          expect(at[across]).toBeCloseTo(position, 9);
          expect(at[columns]).toBeCloseTo(lowest[columns]! + column * voxels.millimetres[columns]!, 9);
          const up = height - 1 - row;
          expect(at[rows]).toBeCloseTo(lowest[rows]! + up * voxels.millimetres[rows]!, 9);
        }
      }
    }
  });
});

describe('colours', () => {
  /** Perceived lightness of a colour (CIE L*). */
  const lightness = (colour: readonly number[]) => {
    const linear = colour.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    const y = 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!;
    return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y;
  };
  it.each(['light', 'dark'] as const)('change in lightness evenly, alike on both sides of 0: %s', (mode) => {
    const steps = Array.from({ length: 11 }, (_, i) => lightness(colourOf(i / 10, 'sequential', mode)));
    const changes = steps.slice(1).map((value, i) => value - steps[i]!);
    const direction = mode === 'light' ? -1 : 1;
    for (const change of changes) {
      expect(direction * change).toBeGreaterThan(2.5);
      expect(direction * change).toBeLessThan(10);
    }
    for (const value of [0.2, 0.5, 1]) {
      const [below, above] = [-value, value].map((v) => lightness(colourOf(v, 'diverging', mode)));
      expect(Math.abs(below! - above!)).toBeLessThan(6);
    }
    const [red, green, blue] = colourOf(0, 'diverging', mode);
    expect(Math.max(red, green, blue) - Math.min(red, green, blue)).toBeLessThan(0.02);
    expect(colourOf(-5, 'diverging', mode)).toEqual(colourOf(-1, 'diverging', mode));
  });
});

describe('drawMosaic', () => {
  it('colours the selected voxels, leaves others transparent, and says what it shows', async () => {
    const values = Float32Array.from(INDICES, (_, i) => (i === 0 ? 100 : (i % 5) - 2));
    const map = {
      name: 'pattern',
      title: 'Pattern <1>',
      units: 'a & b',
      values,
      scale: 'diverging',
    } as const;
    const { svg, inline, description } = drawMosaic(map, selection);
    expect(description).toContain(`slices of ${INDICES.length} voxels`);
    expect(svg).toContain('Pattern &lt;1&gt;');
    expect(inline.text).toContain('class="dark"');
    expect(svg).not.toContain('class="dark"');
    // One voxel of a hundred times the others' size does not decide the colours.
    expect(colourLimit(values)).toBe(2);
    const uri = /href="data:image\/png;base64,([^"]+)"/.exec(svg)![1]!;
    const picture = await readPng(bytesSource(Buffer.from(uri, 'base64'), 'slice.png'));
    const [slice] = slicesOf(turned(selection), 'sagittal', 7);
    expect([picture.width, picture.height, picture.channels]).toEqual([slice!.width, slice!.height, 4]);
    const opaque = Array.from({ length: picture.data.length / 4 }, (_, i) => picture.data[4 * i + 3]!);
    expect(opaque.reduce((sum, alpha) => sum + alpha, 0)).toBe(slice!.pixels.length);
    for (const { voxel, column, row } of slice!.pixels) {
      const at = 4 * (row * picture.width + column);
      const expected = colourOf(values[voxel]! / 2, 'diverging', 'light');
      for (const c of [0, 1, 2]) expect(picture.data[at + c]).toBeCloseTo(expected[c]!, 2);
    }
  });
});

describe('fmri2image maps', () => {
  const study = join(folder, 'study');
  const [TRIALS, PICTURES, FEATURES] = [48, 16, 3];
  const shown = random.shuffle(Array.from({ length: TRIALS }, (_, i) => i % PICTURES));
  const features = random.normals(PICTURES * FEATURES);
  /** The half of the voxels that is to the left carries the first feature, the upper half the second. */
  const carries = (voxel: number, f: number) => {
    const [x, , z] = millimetres(voxel) as [number, number, number];
    return f === 0 ? x < 0 : f === 1 && z > 5;
  };
  beforeAll(async () => {
    mkdirSync(study);
    const size = GRID[0] * GRID[1] * GRID[2];
    const betas = new Float32Array(size * TRIALS);
    for (let t = 0; t < TRIALS; t++) {
      for (let v = 0; v < size; v++) {
        let value = random.normal();
        for (const f of [0, 1]) if (carries(v, f)) value += features[shown[t]! * FEATURES + f]!;
        betas[t * size + v] = value;
      }
    }
    const image = (data: Float32Array | Uint8Array, dtype: 'f32' | 'u8', shape: readonly number[]) =>
      encodeNifti({ data, dtype, shape, affine: AFFINE });
    const write = (name: string, bytes: Uint8Array | string) => writeFileSync(join(study, name), bytes);
    write('betas.nii', image(betas, 'f32', [...GRID, TRIALS]));
    const masked = (wanted: (voxel: number) => number) =>
      image(
        Uint8Array.from({ length: size }, (_, v) => wanted(v)),
        'u8',
        GRID,
      );
    write(
      'mask.nii',
      masked((v) => Number(INDICES.includes(v))),
    );
    write(
      'atlas.nii',
      masked((v) => (carries(v, 0) ? 1 : 2)),
    );
    write(
      'top.nii',
      masked((v) => Number(carries(v, 1))),
    );
    write('atlas.tsv', 'index\tname\n1\tleft\n2\tright\n');
    write('features.npy', encodeNpy({ dtype: 'f64', data: features, shape: [PICTURES, FEATURES] }));
    const line = (stimulus: number, i: number) =>
      [
        stimulus,
        Math.floor(i / 12),
        i % 3 === 0 ? 'test' : 'train',
        features[stimulus * FEATURES]! > 0 ? 'high' : 'low',
      ].join('\t');
    write('trials.tsv', `stimulus\trun\tsplit\tlabel\n${shown.map(line).join('\n')}\n`);
    const manifest = {
      format: 'fmri2image-study',
      version: 1,
      name: 'halves',
      pseudonym: 'sub-07',
      indexBase: 0,
      voxels: { file: 'betas.nii', mask: 'mask.nii', rows: 'trials' },
      trials: { file: 'trials.tsv' },
      stimuli: { file: 'features.npy', axes: ['stimulus', 'feature'] },
    };
    write('study.json', JSON.stringify(manifest));
    const bundle = join(folder, 'bundle');
    expect((await run(['fit', study, '-o', bundle, '--alphas', '100', '--folds', '2'])).code).toBe(0);
  });

  const regions = [
    ...['--atlas', join(study, 'atlas.nii'), '--atlas-labels', join(study, 'atlas.tsv')],
    ...['--region', `top=${join(study, 'top.nii')}`],
  ];

  it('writes images that hold each voxel at its place, with sidecars, tables and one page', async () => {
    const out = join(folder, 'maps');
    const outcome = await run([
      ...['maps', study, '-o', out, '--bundle', join(folder, 'bundle'), '--target', '0', '--json'],
      ...['--noise-ceiling', '--decode-regions', '--alphas', '100', ...regions],
    ]);
    expect(outcome.code, outcome.stderr).toBe(0);
    const result = JSON.parse(outcome.stdout);
    const names = ['weights', 'pattern', 'ncsnr', 'noiseceiling', 'noiseceilingaveraged'];
    expect(result.maps.map(({ name }: { name: string }) => name)).toEqual(names);
    const read = (name: string) => readFileSync(join(out, name), 'utf8');
    const index = JSON.parse(read('maps.json'));
    const valuesOf = async (name: string) => {
      const image = await openNifti(await fileSource(join(out, `sub-07/sub-07_desc-${name}_statmap.nii.gz`)));
      expect(image.header.space).toEqual(GRID);
      expect(image.header.affine.slice(0, 3).flat()).toEqual(AFFINE.flat());
      return (await image.readVolume(0)) as Float32Array;
    };
    const pattern = await valuesOf('pattern');
    pattern.forEach((value, voxel) => {
      expect(Number.isNaN(value)).toBe(!INDICES.includes(voxel));
    });
    const meanOf = (data: Float32Array, wanted: (voxel: number) => boolean) => {
      const voxels = [...INDICES].filter(wanted);
      return voxels.reduce((sum, voxel) => sum + data[voxel]!, 0) / voxels.length;
    };
    // Activity where the feature is carried, whatever side of the image that is.
    expect(meanOf(pattern, (v) => carries(v, 0))).toBeGreaterThan(0.3);
    expect(Math.abs(meanOf(pattern, (v) => !carries(v, 0) && !carries(v, 1)))).toBeLessThan(0.2);
    const ncsnr = await valuesOf('ncsnr');
    expect(meanOf(ncsnr, (v) => carries(v, 0) || carries(v, 1))).toBeGreaterThan(
      2 * meanOf(ncsnr, (v) => !carries(v, 0) && !carries(v, 1)),
    );

    const sidecar = JSON.parse(read('sub-07/sub-07_desc-weights_statmap.json'));
    expect(sidecar).toMatchObject({ Voxels: INDICES.length, Study: 'halves' });
    expect(sidecar.Caution).toMatch(/not activation/);
    expect(sidecar.Bundle).toBe(index.report.bundle);
    expect(JSON.parse(read('dataset_description.json')).DatasetType).toBe('derivative');

    // Regions: those that carry something tell something.
    const lines = read('decoded-regions.tsv')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split('\t'));
    const correlation = lines.filter(([score]) => score === 'frameCorrelation');
    expect(correlation.map(([, region]) => region)).toEqual(['left', 'right', 'top']);
    const [left, , top] = correlation.map((line) => line.slice(3, 5).map(Number)) as [
      number[],
      number[],
      number[],
    ];
    expect(left[0]).toBeGreaterThan(0.3);
    expect(top[0]).toBeGreaterThan(0.3);

    const page = read('maps.html');
    expect(page).toContain('not activation');
    expect(page).toContain('<div class="wide roomy">');
    const section = (name: string) => page.slice(page.indexOf(`id="${name}"`)).split('</section>')[0];
    // The mean size of values without a sign is their mean: it is told once.
    expect(section('pattern')).toMatch(/>mean size<.*>largest size</s);
    expect(section('ncsnr')).toMatch(/>mean<.*>largest</s);
    expect(section('ncsnr')).not.toContain('mean size');
    expect(section('pattern')).toMatch(/The neutral colour is 0; colours end at a size of [\d.]+ \(the 99th/);
    expect(section('ncsnr')).toMatch(/\. Colours end at a size of [\d.]+ \(the 99th/);
    // Slices and a histogram of each map, and each score of the regions.
    const drawn = page.match(/<svg[^>]*role="img" aria-label="[^"]{40,}"/g)!;
    expect(drawn).toHaveLength(2 * names.length + index.decodedRegions.scores.length);
    const [line] = index.decodedRegions.scores[1].regions;
    const spoken = `${line.region} ${line.alone.toFixed(3)} alone, ${line.without.toFixed(3)} left out`;
    expect(drawn.filter((svg) => svg.includes(spoken))).toHaveLength(1);
    expect(page).not.toMatch(/<script|https?:\/\/(?!doi\.org|www\.w3\.org)/);
  });

  it('writes intervals of the weights of one target beside them: --intervals', async () => {
    const bundle = join(folder, 'by-trials');
    const fit = ['fit', study, '-o', bundle, '--alphas', '30', '--folds', '2', '--storage', 'dual'];
    expect((await run(fit)).code).toBe(0);
    const out = join(folder, 'intervals');
    const args = ['maps', study, '-o', out, '--bundle', bundle, '--target', '0', '--intervals', '400'];
    const outcome = await run(args);
    expect(outcome.code, outcome.stderr).toBe(0);
    const values = async (name: string) => {
      const image = await openNifti(await fileSource(join(out, `sub-07/sub-07_desc-${name}_statmap.nii.gz`)));
      return (await image.readVolume(0)) as Float32Array;
    };
    const [weights, lower, upper, error] = await Promise.all(
      ['weights', 'weightslower', 'weightsupper', 'weightsse'].map(values),
    );
    const at = (data: Float32Array) => Float32Array.from(INDICES, (voxel) => data[voxel]!);
    for (const voxel of INDICES) {
      expect(lower![voxel]! < weights![voxel]! && weights![voxel]! < upper![voxel]!).toBe(true);
      expect(error![voxel]).toBeGreaterThan(0);
    }
    const share = (wanted: (voxel: number) => boolean) => {
      const voxels = [...INDICES].filter(wanted);
      return voxels.filter((v) => lower![v]! > 0 || upper![v]! < 0).length / voxels.length;
    };
    expect(share((v) => carries(v, 0))).toBeGreaterThan(share((v) => !carries(v, 0)) + 0.1);
    // The map to look at: weights in standard errors, with the count of intervals that do not hold 0.
    const ratio = await values('weightsratio');
    for (const voxel of INDICES) expect(ratio[voxel]! * error![voxel]!).toBeCloseTo(weights![voxel]!, 5);
    const clear = [...INDICES].filter((v) => lower![v]! > 0 || upper![v]! < 0).length;
    const page = readFileSync(join(out, 'maps.html'), 'utf8');
    expect(page).toContain(`intervals of ${clear} of ${INDICES.length} voxels`);
    expect(page.match(/the same for the weights and both limits of their intervals/g)).toHaveLength(3);
    // Weights and limits are compared: in the same colours, which are not those of the errors.
    const made = JSON.parse(readFileSync(join(out, 'maps.json'), 'utf8')) as {
      maps: { name: string; title: string; colourLimit: number; details: object }[];
    };
    const { maps } = made;
    const limits = new Map<string, number>(
      maps.map((map: { name: string; colourLimit: number }) => [map.name, map.colourLimit]),
    );
    const common = Math.max(...[weights!, lower!, upper!].map((data) => colourLimit(at(data))));
    expect(['weights', 'weightslower', 'weightsupper'].map((name) => limits.get(name))).toEqual(
      Array(3).fill(common),
    );
    expect(limits.get('weightsse')).toBe(colourLimit(at(error!)));
    const sidecar = readFileSync(join(out, 'sub-07/sub-07_desc-weightslower_statmap.json'), 'utf8');
    expect(JSON.parse(sidecar)).toMatchObject({ Level: 0.95, Draws: 400, Over: 'training rows', Groups: 32 });

    // Of all targets each has its own: the same, with its signed weights beside the norm over them.
    const both = join(folder, 'intervals-of-three');
    const all = await run(['maps', study, '-o', both, '--bundle', bundle, '--intervals', '400']);
    expect(all.code, all.stderr).toBe(0);
    const index = JSON.parse(readFileSync(join(both, 'maps.json'), 'utf8')) as typeof made;
    const kinds = ['weights', 'weightsratio', 'weightslower', 'weightsupper', 'weightsse'];
    expect(index.maps.map(({ name }) => name)).toEqual([
      'weights',
      'pattern',
      ...kinds.map((kind) => `${kind}Of0`),
      ...kinds.map((kind) => `${kind}Of1`),
      ...kinds.map((kind) => `${kind}Of2`),
    ]);
    expect(index.maps.at(-1)).toMatchObject({
      title: 'Weights of target 2: standard error',
      details: { Targets: ['2'] },
    });
    for (const [kind, alone] of [
      ['weights', weights],
      ['weightslower', lower],
      ['weightsse', error],
    ] as const) {
      const file = join(both, `sub-07/sub-07_desc-${kind}Of0_statmap.nii.gz`);
      const volume = (await (await openNifti(await fileSource(file))).readVolume(0)) as Float32Array;
      for (const voxel of INDICES) expect(volume[voxel]).toBeCloseTo(alone![voxel]!, 6);
    }

    const failure = async (...more: string[]) =>
      (await run(['maps', study, '-o', join(folder, 'none'), '--bundle', bundle, ...more])).stderr;
    const few = await failure('--intervals', '--target', '0', '--intervals-over', 'run');
    expect(few).toMatch(/groups: too few groups.*at least 5, found 4/);
    expect(await failure('--intervals-over', 'run')).toMatch(/--intervals-over is of --intervals/);
    expect(await failure('--intervals', '9', '--target', '0')).toMatch(/100 to 100,000 draws, not 9/);
  });

  it('tests decoders that were held out in turn by refitting them: evaluate --refit-permutations', async () => {
    const labels = ['evaluate', study, '--targets', 'labels', '--leave-one-out', 'run', '--alphas', '100'];
    const outcome = await run([...labels, '--refit-permutations', '39', '--permutations', '20', '--json']);
    expect(outcome.code, outcome.stderr).toBe(0);
    const { accuracy, refit } = JSON.parse(outcome.stdout);
    expect(refit).toMatchObject({ permutations: 39, exact: false, smallestP: 1 / 40 });
    // The decoders of the test are those that were scored.
    expect(refit.scores[0].observed).toBe(accuracy);
    expect(accuracy).toBeGreaterThan(0.75);
    expect(refit.scores[0].p).toBeLessThanOrEqual(0.05);
    expect(refit.scores[0].shuffled).toBeGreaterThan(0.35);
    expect(refit.scores[0].shuffled).toBeLessThan(0.65);
    // Four runs have 24 orders; a trial is no independent draw where its run is not.
    const whole = await run([...labels, '--refit-permutations', '99', '--refit-blocks', 'run', '--json']);
    expect(whole.code, whole.stderr).toBe(0);
    const byRun = JSON.parse(whole.stdout).refit;
    expect(byRun).toMatchObject({
      exact: true,
      permutations: 24,
      exchanged: 'whole runs among all',
      notes: [],
    });
    expect(byRun.scores[0].observed).toBe(accuracy);
    expect(byRun.smallestP).toBeCloseTo(1 / 24, 12);
    const none = await run([...labels, '--refit-permutations', '9', '--refit-blocks', 'group']);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringMatching(/trial 1 has no group/) });
    const alone = await run([...labels, '--refit-blocks', 'run']);
    expect(alone).toMatchObject({ code: 2, stderr: expect.stringMatching(/is of --refit-permutations/) });
    const foreign = await run(['evaluate', study, '--reconstructions', 'x', '--refit-permutations', '9']);
    expect(foreign).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--refit-permutations belongs to/),
    });
  });

  it('says what it cannot do, naming option and file', async () => {
    const failure = async (...args: string[]) => {
      const { code, stderr } = await run(['maps', study, '-o', join(folder, 'none'), ...args]);
      return `${code} ${stderr}`;
    };
    expect(await failure()).toMatch(/^2 .*--bundle FOLDER, --noise-ceiling or --decode-regions/s);
    const other = join(folder, 'other.nii');
    writeFileSync(
      other,
      encodeNifti({ data: new Uint8Array(8), dtype: 'u8', shape: [2, 2, 2], affine: AFFINE }),
    );
    const grid = await failure('--noise-ceiling', '--region', `a=${other}`);
    expect(grid).toMatch(/^1 .*other\.nii.*8 x 6 x 9.*2 x 2 x 2/s);
    expect(await failure('--bundle', join(folder, 'bundle'), '--target', '3')).toMatch(/^1 .*0 to 2.*3/s);
  });
});
