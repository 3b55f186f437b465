import { describe, expect, inject, it } from 'vitest';
import { loadDecoder } from '../src/index.ts';
import { absoluteUrl, urlSource } from '../src/url.ts';
import { errorOf, expectPictures } from './kept.ts';

const server = inject('bundles');
const address = (how: string, name = 'ridge_v1') => `${server}/${how}/${name}`;
/** Loading does not depend on the device. */
const reference = { device: 'reference' } as const;

/** As `LARGE` of the server. */
const byteAt = (i: number) => (i * 2654435761) >>> 24;
const LARGE_BYTES = 3 * 2 ** 20 + 17;

describe('a bundle on a server', () => {
  it.each(['ranges', 'hidden', 'whole'])('opens where it has %s', async (how) => {
    for (const source of [address(how), `${address(how)}/`, new URL(`${address(how)}/?key=1#part`)]) {
      const decoder = await loadDecoder(source, reference);
      await expectPictures(decoder);
      await decoder.dispose();
    }
  });

  it('is missing, refused, or a page instead', async () => {
    expect(await errorOf(loadDecoder(address('ranges', 'nobody'), reference))).toMatchObject({
      code: 'IO',
      file: `${address('ranges', 'nobody')}/model.json`,
      message: expect.stringMatching(/no such file on the server; found HTTP status 404/),
    });
    expect(await errorOf(loadDecoder(address('forbidden'), reference))).toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/the server refused; found HTTP status 403/),
    });
    expect(await errorOf(loadDecoder(address('page'), reference))).toMatchObject({
      code: 'FORMAT',
      message: expect.stringMatching(/answered with a web page.*found text\/html/),
    });
    expect(await errorOf(loadDecoder('http://127.0.0.1:1/x', reference))).toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/could not be fetched/),
    });
    expect(await errorOf(loadDecoder('http://[', reference))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('that was cut is refused', async () => {
    const error = await errorOf(loadDecoder(address('truncated'), reference));
    expect(error).toMatchObject({
      code: 'FORMAT',
      file: `${address('truncated')}/weights.safetensors`,
      message: expect.stringMatching(
        /does not have the size that model\.json states; expected \d+ bytes, found/,
      ),
    });
  });

  it('does not hold who no longer waits', async () => {
    const controller = new AbortController();
    const loading = errorOf(loadDecoder(address('silent'), { ...reference, signal: controller.signal }));
    controller.abort('gone');
    expect(await loading).toMatchObject({ code: 'CANCELLED', cause: 'gone' });
  });
});

describe('urlSource', () => {
  it.each(['ranges', 'hidden', 'whole'])('reads any range where the server has %s', async (how) => {
    const source = await urlSource(`${address(how, 'large')}/x`);
    expect(source.size).toBe(LARGE_BYTES);
    const reads = [
      [0, 10],
      [2 ** 20 - 3, 7],
      [LARGE_BYTES - 5, 5],
      [17, 2 ** 21],
    ] as const;
    for (const [offset, length] of reads) {
      const bytes = await source.read(offset, length);
      expect(bytes.length).toBe(length);
      expect(bytes.every((byte, i) => byte === byteAt(offset + i))).toBe(true);
    }
    expect((await errorOf(source.read(LARGE_BYTES - 5, 6))).message).toMatch(/ends too early/);
  });

  it('notices a connection that breaks, a range that is short, a file that changes', async () => {
    expect(await errorOf(urlSource(`${address('broken', 'large')}/x`))).toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/the connection broke|could not be fetched/),
    });
    const short = await urlSource(`${address('short', 'large')}/x`);
    expect(await errorOf(short.read(LARGE_BYTES - 100, 100))).toMatchObject({
      code: 'IO',
      expected: '100 bytes',
      found: '95',
    });
    const changing = await urlSource(`${address('changing', 'large')}/x`);
    expect(await errorOf(changing.read(LARGE_BYTES - 100, 100))).toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/was changed while it was being read/),
    });
  });

  it('resolves addresses against the page, and drops fragments', () => {
    expect(absoluteUrl('http://a.org/b/#c')).toBe('http://a.org/b/');
    const { document } = globalThis as { document?: { baseURI: string } };
    if (document) expect(absoluteUrl('x/y')).toBe(new URL('x/y', document.baseURI).href);
  });
});
