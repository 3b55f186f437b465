import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { bytesSource, decodePng, encodeHdf5, encodeNpy, readNpy } from '@fmri2image/core';
import { unzipSync } from 'fflate';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { featurePicture } from '../page/src/features.ts';
import {
  betasOf,
  betasUpload,
  bundleUploads,
  expectedPixels,
  held,
  hold,
  openSite,
  PATIENCE,
  phase,
  pixelsOf,
  release,
  type Site,
  TRIALS,
  upload,
  type Visit,
  type VisitOptions,
  visit,
  workerOf,
} from './page_site.ts';
import { smallModel } from './small_model.ts';

const missing = inject('missing');
const axeSource = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

let site: Site;
let expected: Map<number, Uint8ClampedArray>;
let axe: string;
const visits: Visit[] = [];

async function open(options?: VisitOptions): Promise<Visit> {
  const found = await visit(site, options);
  visits.push(found);
  return found;
}

const demo = async (page: Page) => {
  await page.click('#demo');
  await phase(page, 'done');
};

const line = (page: Page) => page.textContent('#line');
const notice = (page: Page) => page.textContent('.notice.error') as Promise<string>;

/** Bundle and betas through the file inputs, without the demo's own start. */
async function openFiles(page: Page): Promise<void> {
  await page.setInputFiles('#files-input', [...bundleUploads(site.demo), betasUpload(site.demo)]);
  await phase(page, 'loaded');
  await page.waitForSelector('#start:not([disabled])');
}

/** Starts, and stands still when so many pictures are there. */
async function startAndHold(page: Page, pictures: number): Promise<void> {
  await hold(page, pictures);
  await page.click('#start');
  await held(page, pictures);
}

/** Every picture is that of Node, up to rounding of one step of 255 in float32. */
async function expectPictures(page: Page, count = TRIALS): Promise<void> {
  const found = await pixelsOf(page);
  expect(found.size).toBe(count);
  let contrast = 0;
  for (const [trial, pixels] of found) {
    const truth = expected.get(trial)!;
    expect(pixels.length).toBe(truth.length);
    const worst = pixels.reduce((most, value, i) => Math.max(most, Math.abs(value - truth[i]!)), 0);
    expect(worst, `trial ${trial}`).toBeLessThanOrEqual(1);
    const grey = truth.filter((_, i) => i % 4 === 0);
    contrast = Math.max(contrast, Math.max(...grey) - Math.min(...grey));
  }
  expect(contrast).toBeGreaterThan(60);
}

async function expectAccessible(page: Page, state: string): Promise<void> {
  // Colours on their way from one state to the next have the contrast of neither.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map(({ finished }) => finished)));
  // Through the browser's own console: the page's policy allows no foreign script.
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const { run } = (globalThis as unknown as { axe: { run(): Promise<{ violations: object[] }> } }).axe;
    return (await run()).violations;
  });
  expect(violations, state).toEqual([]);
}

describe.skipIf(missing && !inject('required'))(`the page in Chromium${missing && ` (${missing})`}`, () => {
  beforeAll(async () => {
    if (missing) throw new Error(missing);
    site = await openSite();
    expected = await expectedPixels(site.demo);
    axe = await readFile(axeSource, 'utf8');
  }, 300_000);

  afterAll(() => site?.close());

  afterEach(async () => {
    for (const { context, requests, complaints } of visits.splice(0)) {
      await context.close();
      for (const url of requests) expect(url).toMatch(new RegExp(`^(blob:|data:)?${site.url}|^data:`));
      expect(complaints).toEqual([]);
    }
  });

  it('runs a published model of several files of weights: its tokens, and the latent of another stage', async () => {
    const { files, betas, tokens } = await smallModel();
    const { page } = await open();
    await page.setInputFiles('#files-input', [
      ...[...files].map(([name, bytes]) => upload(name, bytes)),
      upload('responses.npy', encodeNpy({ dtype: 'f32', ...betas })),
    ]);
    expect(files.size).toBeGreaterThan(2);
    await page.waitForSelector('#start:not([disabled])');
    expect(await page.textContent('#bundle')).toMatch(/features \[3, 8\].*heat map/);
    await page.click('#start');
    await phase(page, 'done');
    await expectAccessible(page, 'features');
    const found = await pixelsOf(page);
    expect(found.size).toBe(2);
    for (const [trial, pixels] of found) {
      const data = tokens.subarray(24 * trial, 24 * (trial + 1));
      const picture = featurePicture({ data, shape: [3, 8] }).toRgba();
      for (const [i, value] of pixels.entries()) expect(Math.abs(value - picture[i]!)).toBeLessThanOrEqual(1);
    }
    const saved = page.waitForEvent('download');
    await page.click('.save >> nth=1');
    const npy = await readFile((await (await saved).path())!);
    const one = await readNpy(bytesSource(npy, 'trial.npy'));
    expect(one.shape).toEqual([3, 8]);
    const worst = (one.data as Float32Array).reduce(
      (most, v, i) => Math.max(most, Math.abs(v - tokens[24 + i]!)),
      0,
    );
    expect(worst).toBeLessThan(1e-4);

    await page.selectOption('#stage', 'blurry');
    await page.waitForSelector('#start:not([disabled])');
    await page.click('#start');
    await phase(page, 'done');
    const [latent] = (await pixelsOf(page)).values();
    expect(latent).toHaveLength(4 * 56 * 56);
    expect(new Set(latent).size).toBeGreaterThan(20);
  });

  it('takes the subject of a model of several that the responses fit, or asks for it', async () => {
    const { files, betas, tokens } = await smallModel([13, 12, 13, 14]);
    const model = [...files].map(([name, bytes]) => upload(name, bytes));
    const responses = (voxels: number) =>
      upload(
        `${voxels}.npy`,
        encodeNpy({ dtype: 'f32', data: new Float32Array(2 * voxels), shape: [2, voxels] }),
      );
    const { page } = await open();
    const chosen = () => page.inputValue('#subject');
    const ready = () => page.waitForSelector('#start:not([disabled])');
    await page.setInputFiles('#files-input', model);
    await page.waitForSelector('#subject');
    expect(await page.textContent('#subject')).toBe(
      'choose …0 (13 voxels)1 (12 voxels)2 (13 voxels)3 (14 voxels)',
    );
    expect(await page.textContent('#bundle')).toContain('13 or 12 or 14 voxels, by subject');
    // Two have 13 voxels: the person says which.
    await page.setInputFiles('#files-input', [responses(13)]);
    await page.waitForSelector('#responses:not([hidden])');
    await page.waitForSelector('#opening', { state: 'hidden' });
    expect(await chosen()).toBe('');
    expect(await page.isDisabled('#start')).toBe(true);
    expect(await line(page)).toMatch(/choose the subject/);
    await expectAccessible(page, 'subject not chosen');
    await page.focus('#subject');
    await page.selectOption('#subject', '2');
    await ready();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('subject');
    // One has 12, and none 5.
    await page.setInputFiles('#files-input', [responses(12)]);
    await expect.poll(chosen, PATIENCE).toBe('1');
    await ready();
    await page.setInputFiles('#files-input', [responses(5)]);
    expect(await notice(page)).toMatch(/any subject.*1 \(12 voxels\), 2 \(13 voxels\).*5/s);
    expect(await chosen()).toBe('1');
    // Another subject than that of the responses: they wait for theirs.
    await page.selectOption('#subject', '0');
    expect(await notice(page)).toMatch(/not for this decoder.*12\.npy/s);
    await page.setInputFiles('#files-input', [
      ...model,
      upload('14.npy', encodeNpy({ dtype: 'f32', ...betas })),
    ]);
    await expect.poll(chosen, PATIENCE).toBe('3');
    await ready();
    await page.click('#start');
    await phase(page, 'done');
    expect(await line(page)).toMatch(/^Features of 2 trials in/);
    expect(await page.textContent('#work')).not.toMatch(/picture/i);
    const found = await pixelsOf(page);
    for (const [trial, pixels] of found) {
      const data = tokens.subarray(24 * trial, 24 * (trial + 1));
      const picture = featurePicture({ data, shape: [3, 8] }).toRgba();
      for (const [i, value] of pixels.entries()) expect(Math.abs(value - picture[i]!)).toBeLessThanOrEqual(1);
    }
    expect(found.size).toBe(2);
  });

  it('shows the pictures of the demo, as Node computes them, beside what was shown', async () => {
    const { page } = await open();
    await demo(page);
    await expectPictures(page);
    expect((await pixelsOf(page, 'shown')).size).toBe(TRIALS);
    expect(await line(page)).toContain(`${TRIALS} pictures`);
    expect(await page.textContent('#scores')).toMatch(/Two-way identification\s*\d+ %\s*chance 50 %/);
    expect(await page.textContent('#scores')).toMatch(/Correlation\s*\.\d\d\s*chance/);
    // What it is, and that it is nobody.
    const model = JSON.parse(Buffer.from(site.demo.get('demo/bundle/model.json')!).toString());
    const facts = await page.textContent('#bundle');
    expect(facts).toContain(model.contentHash.slice(0, 12));
    expect(facts).toContain('none passed anything from test to training data');
    expect(facts).toContain(model.pseudonym);
    expect(facts).toMatch(/Training data inside\s*no/);
    expect(await page.textContent('#responses')).toContain('simulated, not a person');
    expect(await page.textContent('#device')).toMatch(/WebGPU/);
  });

  it('opens files, a folder, and what is dropped', async () => {
    const { page } = await open();
    await page.setInputFiles('#folder-input', path.join(site.folder, 'bundle'));
    await page.waitForSelector('#bundle:not([hidden])');
    await page.setInputFiles('#files-input', [betasUpload(site.demo)]);
    await phase(page, 'loaded');
    expect(await page.textContent('#responses')).toContain('betas.npy');
    await page.selectOption('#count', '12');
    await page.click('#start');
    await phase(page, 'done');
    await expectPictures(page, 12);
    expect(await page.isVisible('#scores')).toBe(false);
    // A study folder knows what was shown.
    await page.setInputFiles('#folder-input', path.join(site.folder, 'responses'));
    await phase(page, 'loaded');
    await page.click('#start');
    await phase(page, 'done');
    await expectPictures(page);
    expect(await page.isVisible('#scores')).toBe(true);
    // Both at once, dropped.
    const { page: other } = await open();
    const files = [...bundleUploads(site.demo), betasUpload(site.demo)];
    await other.evaluate(
      (list) => {
        const transfer = new DataTransfer();
        for (const { name, bytes } of list) transfer.items.add(new File([new Uint8Array(bytes)], name));
        dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, cancelable: true }));
      },
      files.map(({ name, buffer }) => ({ name, bytes: [...buffer] })),
    );
    await phase(other, 'loaded');
    expect(await other.textContent('#responses')).toContain('betas.npy');
  });

  it('opens HDF5 and MATLAB in a worker that is loaded when the first such file is, and without network then', async () => {
    const { page, context, requests } = await open();
    const library = () => requests.filter((url) => /hdf5/i.test(url));
    await openFiles(page);
    expect(library()).toEqual([]);
    const betas = await betasOf(site.demo);
    const [trials, voxels] = betas.shape as [number, number];
    const array = { dtype: 'f32' as const, data: betas.data, shape: [trials, voxels] };
    const order = { dtype: 'i32' as const, data: new Int32Array(trials), shape: [trials] };
    const h5 = Buffer.from(
      await encodeHdf5({
        'betas/subj01': { array, chunks: [8, voxels], deflate: 1 },
        order: { array: order },
      }),
    );
    await page.setInputFiles('#files-input', [upload('betas.hdf5', h5)]);
    await page.locator('#responses', { hasText: 'betas.hdf5' }).waitFor();
    expect(library()).toHaveLength(1);
    await page.selectOption('#count', '12');
    await page.click('#start');
    await phase(page, 'done');
    await expectPictures(page, 12);
    await context.setOffline(true);
    // MATLAB's matrix of [voxels, trials] appears to HDF5 as the same rows.
    const block = Buffer.alloc(512, 'MATLAB 7.3 ');
    block.set([0, 2, 0x49, 0x4d], 124);
    const matlab = await encodeHdf5({ betas: { array, attributes: { MATLAB_class: 'single' } } });
    await page.setInputFiles('#files-input', [upload('betas.mat', Buffer.concat([block, matlab]))]);
    await page.locator('#responses', { hasText: 'betas.mat' }).waitFor();
    await page.setInputFiles('#files-input', [upload('cut.hdf5', h5.subarray(0, h5.length - 999))]);
    expect(await notice(page)).toMatch(/cut\.hdf5.*damaged, or not as HDF5 files are/is);
    expect(library()).toHaveLength(1);
    expect(page.workers()).toHaveLength(1);
  });

  it('puts responses aside that are not for a bundle, and takes them back for their own', async () => {
    const { page } = await open();
    await page.setInputFiles('#files-input', [
      upload('few.npy', encodeNpy({ dtype: 'f32', data: new Float32Array(10), shape: [2, 5] })),
    ]);
    await page.waitForSelector('#responses:not([hidden])');
    await page.setInputFiles('#files-input', bundleUploads(site.demo));
    expect(await notice(page)).toMatch(/not for this decoder.*few\.npy/);
    expect(await page.isVisible('#responses')).toBe(false);
    expect(await page.isDisabled('#start')).toBe(true);
    await page.setInputFiles('#files-input', [betasUpload(site.demo)]);
    await phase(page, 'loaded');
    expect(await page.textContent('#responses')).toContain('betas.npy');
    expect(await page.$$('.notice')).toEqual([]);
    await page.setInputFiles('#files-input', bundleUploads(site.demo));
    await page.waitForSelector('#opening', { state: 'hidden' });
    await page.click('#start');
    await phase(page, 'done');
    await expectPictures(page);
  });

  it('opens an address of its own, and no other', async () => {
    const { page } = await open({ path: '?bundle=demo/bundle&responses=demo/responses/betas.npy' });
    await phase(page, 'loaded');
    await page.click('#start');
    await phase(page, 'done');
    await expectPictures(page);
    const { page: other } = await open({ path: '?bundle=https://example.org/bundle' });
    expect(await notice(other)).toMatch(/its own address only/);
    // Where a script asks all the same, the browser refuses: the policy holds in the worker, too.
    const attempt = () =>
      fetch('https://example.org/').then(
        () => 'reached',
        (error: Error) => error.name,
      );
    expect(await page.evaluate(attempt)).toBe('TypeError');
    expect(await (await workerOf(page)).evaluate(attempt)).toBe('TypeError');
    // Those refusals are the complaints that this test asked for.
    const { complaints } = visits[0]!;
    expect(complaints.length).toBeGreaterThan(0);
    for (const text of complaints.splice(0)) expect(text).toMatch(/Content Security Policy/);
  });

  it('is cancelled in the middle, says how far it was, continues, and starts again', async () => {
    const { page } = await open();
    await openFiles(page);
    await startAndHold(page, 5);
    expect(await line(page)).toContain(`5 of ${TRIALS}`);
    await page.focus('#cancel');
    await page.keyboard.press('Enter');
    await release(page);
    await phase(page, 'cancelled');
    expect(await line(page)).toContain(`5 of ${TRIALS} pictures are done`);
    await expectPictures(page, 5);
    // The focus went to the button that took the place of the one that was pressed.
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('resume');
    expect(await page.textContent('#start')).toBe('Start again');
    await page.keyboard.press('Enter');
    await phase(page, 'done');
    expect(await line(page)).toContain(`${TRIALS} pictures in`);
    expect(await page.isHidden('#resume')).toBe(true);
    await page.click('#start');
    await phase(page, 'done');
    await expectPictures(page);
  });

  it('works again after a reload in the middle', async () => {
    const { page } = await open();
    await openFiles(page);
    await startAndHold(page, 3);
    await page.reload();
    await demo(page);
    await expectPictures(page);
    expect(page.workers()).toHaveLength(1);
  });

  it('continues after its device was lost, without files being chosen again', async () => {
    const { page } = await open();
    await openFiles(page);
    await startAndHold(page, 7);
    await (await workerOf(page)).evaluate(() =>
      (globalThis as unknown as { testDevice: GPUDevice }).testDevice.destroy(),
    );
    await phase(page, 'lost');
    await release(page);
    expect(await notice(page)).toMatch(/GPU device was lost.*Continue/s);
    expect(await line(page)).toContain(`7 of ${TRIALS}`);
    await expectAccessible(page, 'lost');
    await page.click('#resume');
    await phase(page, 'done');
    await expectPictures(page);
    expect(await page.$$('.notice.error')).toEqual([]);
    expect(page.workers()).toHaveLength(1);
  });

  it('continues after its worker was closed, and without network', async () => {
    const { page, context } = await open();
    await openFiles(page);
    await startAndHold(page, 4);
    await context.setOffline(true);
    await page.evaluate(() =>
      (globalThis as unknown as { testWorkers: Worker[] }).testWorkers.at(-1)!.terminate(),
    );
    await phase(page, 'lost');
    await release(page);
    expect(await notice(page)).toMatch(/worker has ended.*Continue/s);
    await page.click('#resume');
    await phase(page, 'done');
    await expectPictures(page);
    // An idle worker is missed as well.
    await page.evaluate(() =>
      (globalThis as unknown as { testWorkers: Worker[] }).testWorkers.at(-1)!.terminate(),
    );
    await phase(page, 'lost');
    await page.click('#resume');
    await phase(page, 'done');
    await page.click('#start');
    await phase(page, 'done');
    await expectPictures(page);
  });

  it('names what is wrong with files, and keeps what was open', async () => {
    const { page } = await open();
    await openFiles(page);
    const [model, weights] = bundleUploads(site.demo);
    const betas = await betasOf(site.demo);
    const voxels = betas.shape[1]!;
    const npy = (data: Float32Array, shape: number[]) => encodeNpy({ dtype: 'f32', data, shape });
    const cut = { ...weights!, buffer: weights!.buffer.subarray(0, weights!.buffer.length >> 1) };
    const flipped = { ...weights!, buffer: Buffer.from(weights!.buffer) };
    flipped.buffer[flipped.buffer.length - 5]! ^= 1;
    const nan = betas.data.slice();
    nan[voxels + 2] = Number.NaN;
    const cases = [
      ['half of the weights', [model!, cut], [/weights\.safetensors/, /Expected/, /Found/]],
      ['a flipped bit', [model!, flipped], [/weights\.safetensors/, /Expected/, /Found/]],
      ['no weights', [model!], [/weights\.safetensors/]],
      [
        'no bundle',
        [upload('model.json', Buffer.from('{}')), weights!],
        [/model\.json/, /not a bundle/i, /format/],
      ],
      ['NaN', [upload('nan.npy', npy(nan, betas.shape.slice()))], [/nan\.npy/, /trial 2, voxel 3/, /NaN/]],
      [
        'too few voxels',
        [upload('few.npy', npy(new Float32Array(10), [2, 5]))],
        [/few\.npy/, new RegExp(`Expected\\s*${voxels}`), /Found\s*5/],
      ],
      ['text', [upload('notes.txt', Buffer.from('a b\n1 x\n'))], [/notes\.txt/, /not a number/i]],
      [
        'half of the responses',
        [upload('half.npy', site.demo.get('demo/responses/betas.npy')!.subarray(0, 999))],
        [/half\.npy/, /Expected/],
      ],
    ] as const;
    for (const [name, files, patterns] of cases) {
      await page.setInputFiles('#files-input', [...files]);
      await page.waitForSelector('#opening', { state: 'hidden' });
      const text = await notice(page);
      for (const pattern of patterns) expect(text, name).toMatch(pattern);
      expect(await page.getAttribute('.notice.error', 'role')).toBe('alert');
      if (name === 'NaN') await expectAccessible(page, 'error');
      await page.click('.notice.error button');
      expect(await page.$$('.notice')).toEqual([]);
    }
    await page.click('#start');
    await phase(page, 'done');
    await expectPictures(page);
    expect(page.workers()).toHaveLength(1);
  });

  for (const webgpu of ['absent', 'no adapter'] as const) {
    it(`says what to do where WebGPU is ${webgpu}, and takes the reference backend when asked`, async () => {
      const { page } = await open({ webgpu });
      const message = await page.textContent('#no-webgpu');
      expect(message).toMatch(webgpu === 'absent' ? /navigator\.gpu is missing/ : /offers no GPU/);
      expect(message).toMatch(/Chrome/);
      await expectAccessible(page, 'without WebGPU');
      await page.click('#demo');
      await page.waitForSelector('#responses:not([hidden])');
      expect(await page.isDisabled('#start')).toBe(true);
      expect(await page.textContent('#no-webgpu')).toMatch(/This bundle has \d+ kB: .* a picture/);
      await page.click('#use-reference');
      await page.waitForSelector('#start:not([disabled])');
      await page.click('#start');
      await phase(page, 'done');
      expect(await page.textContent('#device')).toMatch(/reference|float64/i);
      await expectPictures(page);
    });
  }

  it('says so where workers find no GPU any more, and goes on without', async () => {
    const { page } = await open();
    await openFiles(page);
    await startAndHold(page, 6);
    await page.evaluate(() => {
      (globalThis as unknown as { testWorkersWithoutGpu: boolean }).testWorkersWithoutGpu = true;
    });
    await (await workerOf(page)).evaluate(() =>
      (globalThis as unknown as { testDevice: GPUDevice }).testDevice.destroy(),
    );
    await phase(page, 'lost');
    await release(page);
    await page.click('#resume');
    await page.waitForSelector('#no-webgpu');
    expect(await page.textContent('#no-webgpu')).toMatch(/worker.*found no GPU.*navigator\.gpu is missing/);
    expect(await line(page)).toContain(`6 of ${TRIALS}`);
    await expectAccessible(page, 'no GPU any more');
    await page.click('#use-reference');
    await phase(page, 'done');
    await expectPictures(page);
    expect(page.workers()).toHaveLength(1);
  });

  it('holds no more after five runs than after one, and one worker at a time', async () => {
    const { page } = await open();
    await demo(page);
    const stats = () =>
      page.evaluate(() =>
        (globalThis as unknown as { fmri2image: { stats(): Promise<object> } }).fmri2image.stats(),
      );
    const baseline = (await stats()) as { liveTensors: number; liveBytes: number };
    expect(baseline.liveTensors).toBeGreaterThan(0);
    for (let run = 0; run < 4; run++) {
      await startAndHold(page, 1);
      await release(page);
      await phase(page, 'done');
    }
    const { liveTensors, liveBytes } = baseline;
    expect(await stats()).toMatchObject({ liveTensors, liveBytes });
    await hold(page, 1);
    await page.click('#demo');
    await held(page, 1);
    await release(page);
    await phase(page, 'done');
    expect(await stats()).toMatchObject({ liveTensors, liveBytes });
    expect(page.workers()).toHaveLength(1);
    await page.evaluate(() => dispatchEvent(new Event('pagehide')));
    await expect.poll(() => page.workers().length, PATIENCE).toBe(0);
  });

  it('saves one picture, and all of them with their scores', async () => {
    const { page } = await open();
    await demo(page);
    const save = async (selector: string) => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.click(selector)]);
      return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
    };
    const one = await save('li[data-trial="2"] .save');
    expect(one.name).toMatch(/^trial-0003_\w+\.png$/);
    const grey = (bytes: Uint8Array) => {
      const { data, channels } = decodePng(bytes, 'saved.png');
      return Array.from(
        data.filter((_, i) => i % channels === 0),
        (value) => Math.round(255 * value),
      );
    };
    const truth = Array.from(expected.get(2)!.filter((_, i) => i % 4 === 0));
    const worst = grey(one.bytes).map((value, i) => Math.abs(value - truth[i]!));
    expect(Math.max(...worst)).toBeLessThanOrEqual(1);
    const all = await save('#save-all');
    expect(all.name).toMatch(/\.zip$/);
    const files = unzipSync(all.bytes);
    const pictures = Object.keys(files).filter((name) => name.endsWith('.png'));
    expect(pictures).toHaveLength(TRIALS);
    expect(grey(files[`pictures/${one.name}`]!)).toEqual(grey(one.bytes));
    const scores = Buffer.from(files['scores.tsv']!).toString().trim().split('\n');
    expect(scores).toHaveLength(TRIALS + 1);
    const about = JSON.parse(Buffer.from(files['about.json']!).toString());
    expect(about).toMatchObject({ responses: { simulated: true }, pictures: TRIALS });
    expect(about.bundle.contentHash).toMatch(/^[0-9a-f]{64}$/);
  });

  for (const dark of [false, true]) {
    it(`has no accessibility errors in the ${dark ? 'dark' : 'light'}, from a phone's width on`, async () => {
      const { page } = await open({ dark, width: 360 });
      const fits = async (state: string) => {
        await expectAccessible(page, state);
        const wide = await page.evaluate(() => document.scrollingElement!.scrollWidth);
        expect(wide, state).toBeLessThanOrEqual(360);
      };
      await fits('start');
      await openFiles(page);
      await fits('loaded');
      await startAndHold(page, 3);
      await fits('running');
      await page.click('#cancel');
      await release(page);
      await phase(page, 'cancelled');
      await fits('cancelled');
      await demo(page);
      await page.click('summary');
      await fits('done');
      await page.setViewportSize({ width: 1280, height: 800 });
      await expectAccessible(page, 'done, wide');
    });
  }

  it('is used by keyboard alone', async () => {
    const { page } = await open();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.className)).toBe('skip');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('demo');
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
    expect(outline).toBe('solid');
    await page.keyboard.press('Enter');
    await phase(page, 'done');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('demo');
    const reached = new Set<string>();
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement!.id || document.activeElement!.className));
    }
    for (const id of ['choose-folder', 'choose-files', 'start', 'count', 'save-all', 'save']) {
      expect([...reached]).toContain(id);
    }
  });
});
