import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeLabelledStudy } from './labelledStudy.ts';
import { root, run, temporaryFolder } from './run.ts';

const executable = process.env.F2I_CHROMIUM ?? '/usr/bin/chromium';
const missing = existsSync(executable)
  ? undefined
  : `no chromium at ${executable}: run scripts/install-web-deps.sh`;
const required = (process.env.F2I_REQUIRE ?? '').split(',').includes('web');
const data = join(process.env.F2I_TEST_DATA ?? join(root, '..', 'shared', 'data'), 'v1-bars');

const dataRequired = (process.env.F2I_REQUIRE ?? '').split(',').includes('data');
const withoutData = !existsSync(data) && !dataRequired;
if (withoutData) console.warn(`the page of real moving bars: skipped, no data at ${data}`);

const folder = temporaryFolder();
let browser: Browser;

async function reported(name: string, args: readonly string[]): Promise<string> {
  const outcome = await run(['report', ...args, '-o', join(folder, name)]);
  expect(outcome.code, outcome.stderr).toBe(0);
  return `file://${join(folder, name, 'report.html')}`;
}

/** Opens a page as a reader would: offline, with everything that goes wrong noted. */
async function open(
  url: string,
  options: { width?: number; colorScheme?: 'light' | 'dark' } = {},
): Promise<{ page: Page; troubles: string[] }> {
  const { width = 1200, colorScheme = 'light' } = options;
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme,
    offline: true,
    javaScriptEnabled: true,
  });
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on('console', (message) => troubles.push(message.text()));
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('request', (request) => {
    if (request.url() !== url && !request.url().startsWith('data:')) troubles.push(request.url());
  });
  await page.goto(url);
  return { page, troubles };
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds, in words. Evaluated by the debugger, which the page's policy does not bind. */
async function accessibilityErrors(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const violations = (await page.evaluate('axe.run().then(({ violations }) => violations)')) as {
    id: string;
    nodes: { html: string; failureSummary: string }[];
  }[];
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html} ${nodes[0]!.failureSummary}`);
}

function describeInChromium(name: string, body: () => void): void {
  if (missing === undefined) describe(name, body);
  else if (required) {
    it(name, () => {
      throw new Error(missing);
    });
  } else {
    console.warn(`${name}: skipped, ${missing}`);
    describe.skip(name, body);
  }
}

describeInChromium('the page of a report', () => {
  let simulated: string;
  beforeAll(async () => {
    const launch = '--no-sandbox --disable-quic --no-first-run --disable-background-networking';
    browser = await chromium.launch({
      executablePath: executable,
      args: [...launch.split(' '), '--disable-component-update', '--disable-sync'],
    });
    const small = '--seed 3 --voxels 80 --train-pictures 150 --test-pictures 10 --repeats 2 --size 8';
    const study = join(folder, 'study');
    expect((await run(['simulate', '-o', study, ...small.split(' ')])).code).toBe(0);
    simulated = await reported('simulated', [study, '--leave-one-out', 'run', '--alpha-for', 'all']);
  });
  afterAll(() => browser?.close());

  it.each([
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
    ['narrow', { width: 400 }],
  ] as const)('has no accessibility error, loads nothing, and fits: %s', async (_, options) => {
    const { page, troubles } = await open(simulated, options);
    expect(troubles).toEqual([]);
    const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
    expect(await page.evaluate(overflow)).toBe(0);
    expect(await accessibilityErrors(page)).toEqual([]);
    const broken = await page.evaluate(
      '[...document.images].filter((image) => !(image.complete && image.naturalWidth > 0)).length',
    );
    expect(broken).toBe(0);
    expect(await page.locator('img').count()).toBeGreaterThan(40);
    await page.context().close();
  });

  it('of decoded labels: a confusion matrix that can be read in light and dark, narrow, and as a table', async () => {
    writeLabelledStudy(join(folder, 'labels'));
    const args = [
      join(folder, 'labels'),
      '--targets',
      'labels',
      '--leave-one-out',
      'run',
      '--permutations',
      '99',
    ];
    const labels = await reported('labels-report', args);
    for (const options of [{ colorScheme: 'light' }, { colorScheme: 'dark', width: 400 }] as const) {
      const { page, troubles } = await open(labels, options);
      expect(troubles).toEqual([]);
      const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect(await page.evaluate(overflow)).toBe(0);
      await page.evaluate('for (const each of document.querySelectorAll("details")) each.open = true');
      expect(await accessibilityErrors(page)).toEqual([]);
      // Numbers in cells, and the same ones in the table.
      const texts = await page.locator('#confusion svg text').allTextContents();
      expect(texts.filter((text) => /^\d+ %$/.test(text)).length).toBeGreaterThan(3);
      const cells = await page.locator('#confusion table').first().locator('td').allTextContents();
      expect(cells.map(Number).reduce((a, b) => a + b)).toBe(48);
      await page.context().close();
    }
  });

  it('follows the colours of its mode, plots too', async () => {
    const inkOf = async (colorScheme: 'light' | 'dark') => {
      const { page } = await open(simulated, { colorScheme });
      const colours = await page.evaluate(`(() => {
        const text = document.querySelector('svg text');
        return [getComputedStyle(document.body).color, getComputedStyle(text).fill, getComputedStyle(document.body).backgroundColor];
      })()`);
      await page.context().close();
      return colours as [string, string, string];
    };
    const lightness = (colour: string) =>
      colour
        .match(/\d+/g)!
        .slice(0, 3)
        .reduce((sum, channel) => sum + Number(channel) / 765, 0);
    const light = (await inkOf('light')).map(lightness);
    const dark = (await inkOf('dark')).map(lightness);
    expect(light[0]).toBeLessThan(0.3);
    expect(light[1]).toBeLessThan(0.5);
    expect(light[2]).toBeGreaterThan(0.9);
    expect(dark[0]).toBeGreaterThan(0.8);
    expect(dark[1]).toBeGreaterThan(0.6);
    expect(dark[2]).toBeLessThan(0.15);
  });

  it('can be used by keyboard: a way past the contents, every section, every wide table', async () => {
    const { page } = await open(simulated);
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the results');
    await page.keyboard.press('Enter');
    expect(page.url()).toMatch(/#main$/);
    const targets = await page.evaluate('[...document.querySelectorAll("nav a")].map((link) => link.hash)');
    for (const target of targets as string[]) expect(await page.locator(target).count(), target).toBe(1);
    const unreachable =
      '[...document.querySelectorAll("main *")].filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "auto" && e.tabIndex < 0).length';
    expect(await page.evaluate(unreachable)).toBe(0);
    await page.context().close();
  });

  it('prints: no contents, no dark colours, nothing cut off at the side', async () => {
    const { page } = await open(simulated, { colorScheme: 'dark', width: 720 });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect(await page.locator('nav').isVisible()).toBe(false);
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)');
    expect((await page.pdf({ format: 'A4' })).length).toBeGreaterThan(10_000);
    await page.context().close();
  });

  it.skipIf(withoutData)('shows real moving bars frame by frame, and what they are', async () => {
    const study = join(root, 'examples', 'v1-bars');
    const pictures = join(folder, 'bars-pictures');
    const fit = ['--leave-one-out', 'run', '--alphas', '2000', '--delays', '4', '-o', pictures];
    expect((await run(['evaluate', study, '--data', data, ...fit])).code).toBe(0);
    const args = [study, '--data', data, '--reconstructions', pictures];
    const url = await reported('bars', args);
    const { page, troubles } = await open(url);
    expect(troubles).toEqual([]);
    expect(await accessibilityErrors(page)).toEqual([]);
    expect(await page.locator('.strip').count()).toBe(4);
    const text = (await page.locator('main').textContent())!;
    expect(text).toMatch(/100 held-out frames of v1-bars are identified/);
    expect(text).toContain('None can be given: the study lists every frame as a stimulus of its own');
    expect(text).toContain('Politis & Romano, 1992');
    expect(text).toMatch(/training pictures hold near copies/);
    expect(readFileSync(url.slice('file://'.length)).length).toBeLessThan(1e6);
    const stripHeight = (of: Page) => of.evaluate('document.querySelector(".strip img").naturalHeight');
    const tall = (await stripHeight(page)) as number;

    const bare = await open(await reported('bars-bare', [...args, '--no-stimuli']));
    const alts = (await bare.page.evaluate('[...document.images].map(({ alt }) => alt)')) as string[];
    expect(alts.filter((alt) => /shown|nearest/i.test(alt))).toEqual([]);
    expect(alts.filter((alt) => /^Reconstructed from trial/.test(alt))).toHaveLength(23);
    // One row of frames instead of two.
    expect(await stripHeight(bare.page)).toBeLessThan(0.6 * tall);
    await bare.page.context().close();
    await page.context().close();
  });
});
