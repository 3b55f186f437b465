import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {
  bytesSource,
  memoryFolder,
  openBundle,
  ReferenceBackend,
  type Rows,
  readArray,
  toFloat32,
} from '@fmri2image/core';
import type { Browser, BrowserContext, Page, Worker } from 'playwright-core';
import { chromium } from 'playwright-core';
import { build } from 'vite';
import { expect } from 'vitest';
import { pageConfig } from '../page/config.ts';
import { type DemoFiles, makeDemo, PAGE_DEMO } from '../page/demo/make.ts';

/** More pictures than a decoder makes at once, of few pixels: devices in software are slow. */
export const TRIALS = 34;
const SMALL_DEMO = {
  ...PAGE_DEMO,
  size: 16,
  voxels: 90,
  trainPictures: 150,
  testPictures: TRIALS,
  testRepeats: 2,
};

/** The built page on a server of static files, and a browser to look at it. */
export interface Site {
  readonly url: string;
  readonly browser: Browser;
  readonly demo: DemoFiles;
  /** Folder on disk that holds the demo's files. */
  readonly folder: string;
  close(): Promise<void>;
}

export async function openSite(): Promise<Site> {
  const temporary = await mkdtemp(path.join(os.tmpdir(), 'f2i-page-'));
  const outDir = path.join(temporary, 'site');
  const demo = await makeDemo(SMALL_DEMO);
  await build(pageConfig({ demo, outDir }));
  const server = await serve(outDir);
  const browser = await chromium.launch({
    executablePath: process.env.F2I_CHROMIUM ?? '/usr/bin/chromium',
    timeout: PATIENCE.timeout,
    args: [
      '--no-sandbox',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--enable-unsafe-webgpu',
    ],
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    browser,
    demo,
    folder: path.join(outDir, 'demo'),
    async close() {
      await browser.close();
      server.closeAllConnections();
      server.close();
      await rm(temporary, { recursive: true, force: true });
    },
  };
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};

/** A static host: files below a folder, nothing else. */
function serve(folder: string): Promise<Server> {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url!, 'http://localhost');
    const file = path.join(folder, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
    try {
      const bytes = await readFile(file);
      const type = TYPES[path.extname(file)] ?? 'application/octet-stream';
      response.writeHead(200, { 'content-type': type, 'content-length': bytes.length }).end(bytes);
    } catch {
      response.writeHead(404).end('not found');
    }
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

/**
 * Runs in the page before its scripts: `testHoldAt` pictures are let through, the next frame comes when `testRelease()`
 * is called; workers are kept at hand, and their devices as `testDevice` in them; with `testWorkersWithoutGpu` new ones
 * have no WebGPU. The page itself knows nothing of it.
 */
function instrument(): void {
  const scope = globalThis as unknown as {
    testHoldAt: number;
    testRelease(): void;
    testWorkers: globalThis.Worker[];
    testWorkersWithoutGpu?: boolean;
  };
  scope.testHoldAt = Number.POSITIVE_INFINITY;
  const held: (() => void)[] = [];
  const isHeld = () => document.querySelectorAll('canvas.made').length >= scope.testHoldAt;
  scope.testRelease = () => {
    scope.testHoldAt = Number.POSITIVE_INFINITY;
    for (const go of held.splice(0)) go();
  };
  const frame = globalThis.requestAnimationFrame.bind(globalThis);
  globalThis.requestAnimationFrame = (callback) =>
    frame((time) => (isHeld() ? held.push(() => callback(time)) : callback(time)));
  const timeout = globalThis.setTimeout.bind(globalThis) as (run: () => void, ms?: number) => number;
  globalThis.setTimeout = ((run: () => void, ms?: number) =>
    // The page's wait for a frame, and nothing else, takes 50 ms at most.
    timeout(() => (ms === 50 && isHeld() ? held.push(run) : run()), ms)) as typeof globalThis.setTimeout;

  scope.testWorkers = [];
  const Native = globalThis.Worker;
  globalThis.Worker = class extends Native {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      scope.testWorkers.push(this);
    }
  };
  const hook = `if (globalThis.testNoGpu) Object.defineProperty(WorkerNavigator.prototype, 'gpu', { get: () => undefined });
  if (globalThis.GPUAdapter) {
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...args) {
      return (globalThis.testDevice = await request.apply(this, args));
    };
  }\n`;
  const withoutGpu = 'globalThis.testNoGpu = true;\n';
  const createUrl = URL.createObjectURL.bind(URL);
  URL.createObjectURL = (object: Blob | MediaSource) => {
    const isScript = object instanceof Blob && object.type.startsWith('text/javascript');
    const first = scope.testWorkersWithoutGpu ? [withoutGpu, hook] : [hook];
    return createUrl(isScript ? new Blob([...first, object], { type: object.type }) : object);
  };
}

/** A page that is watched: what it asks for, and what it complains of. */
export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly requests: string[];
  readonly complaints: string[];
}

export interface VisitOptions {
  readonly path?: string;
  readonly dark?: boolean;
  readonly width?: number;
  /** What the browser says of WebGPU: nothing at all, or that there is no adapter. */
  readonly webgpu?: 'absent' | 'no adapter';
}

export async function visit({ browser, url }: Site, options: VisitOptions = {}): Promise<Visit> {
  const { path: below = '', dark = false, width = 1280, webgpu } = options;
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    colorScheme: dark ? 'dark' : 'light',
    acceptDownloads: true,
  });
  const requests: string[] = [];
  const complaints: string[] = [];
  context.on('request', (request) => requests.push(request.url()));
  context.on('weberror', (error) => complaints.push(String(error.error().stack)));
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  await context.addInitScript(instrument);
  if (webgpu) {
    await context.addInitScript((kind) => {
      const value = kind === 'absent' ? undefined : { requestAdapter: async () => null };
      Object.defineProperty(Navigator.prototype, 'gpu', { get: () => value, configurable: true });
    }, webgpu);
  }
  context.setDefaultTimeout(PATIENCE.timeout);
  const page = await context.newPage();
  await page.goto(url + below);
  await page.waitForFunction(() => !document.getElementById('device')!.textContent!.startsWith('Looking'));
  return { page, context, requests, complaints };
}

export const phase = (page: Page, name: string) => page.waitForSelector(`body[data-phase="${name}"]`);

export const hold = (page: Page, pictures: number) =>
  page.evaluate((count) => {
    (globalThis as unknown as { testHoldAt: number }).testHoldAt = count;
  }, pictures);

export const release = (page: Page) =>
  page.evaluate(() => (globalThis as unknown as { testRelease(): void }).testRelease());

/** Waits until exactly so many pictures are there: the run is held. Frames are held as well: nothing may wait for them. */
export const held = (page: Page, pictures: number) =>
  expect
    .poll(() => page.evaluate(() => document.querySelectorAll('canvas.made').length), PATIENCE)
    .toBe(pictures);

/** Machines are slow, and devices in software are slower. */
export const PATIENCE = { timeout: 240_000, interval: 50 };

/** The worker that the page uses now. */
export async function workerOf(page: Page): Promise<Worker> {
  const worker = page.workers().at(-1);
  if (!worker) throw new Error('the page has no worker');
  return worker;
}

/** Pixels of every reconstruction, by trial. */
export async function pixelsOf(page: Page, name: 'made' | 'shown' = 'made'): Promise<Map<number, number[]>> {
  const found = await page.evaluate(
    (which) =>
      Array.from(document.querySelectorAll<HTMLCanvasElement>(`canvas.${which}`), (canvas) => {
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
        return [Number(canvas.closest('li')!.dataset.trial), Array.from(data)] as const;
      }),
    name,
  );
  return new Map(found);
}

/** The same pictures from Node, in float64: RGBA by trial. */
export async function expectedPixels(demo: DemoFiles): Promise<Map<number, Uint8ClampedArray>> {
  const backend = new ReferenceBackend();
  const below = 'demo/bundle/';
  const files = [...demo].flatMap(([name, bytes]) =>
    name.startsWith(below) ? [[name.slice(below.length), bytes] as const] : [],
  );
  const decoder = await openBundle(memoryFolder(files, 'bundle'), { backend });
  const pictures = new Map<number, Uint8ClampedArray>();
  for await (const { trial, image } of decoder.reconstruct(await betasOf(demo))) {
    pictures.set(trial, image!.toRgba());
  }
  decoder.dispose();
  await backend.dispose();
  return pictures;
}

export async function betasOf(demo: DemoFiles): Promise<Rows & { data: Float32Array }> {
  const array = await readArray(bytesSource(demo.get('demo/responses/betas.npy')!, 'betas.npy'));
  return { data: toFloat32(array), shape: array.shape };
}

/** A file for an input element. */
export const upload = (name: string, bytes: Uint8Array) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(bytes),
});

export const bundleUploads = (demo: DemoFiles) =>
  ['model.json', 'weights.safetensors'].map((name) => upload(name, demo.get(`demo/bundle/${name}`)!));

export const betasUpload = (demo: DemoFiles) => upload('betas.npy', demo.get('demo/responses/betas.npy')!);
