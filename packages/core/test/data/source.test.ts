import { describe, expect, it, vi } from 'vitest';
import {
  blobSource,
  bytesSource,
  F2iError,
  memoryFolder,
  pacer,
  readText,
  relativePath,
  sliceSource,
  syncOf,
} from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';

const bytes = new TextEncoder().encode('hello world');
const decode = (part: Uint8Array) => new TextDecoder().decode(part);

describe('sources', () => {
  it.each([
    ['bytes', bytesSource(bytes, 'f')],
    ['a Blob', blobSource(new Blob([bytes]), 'f')],
    ['a window of bytes', sliceSource(bytesSource(new Uint8Array([1, 2, ...bytes, 3]), 'g'), 2, 11, 'f')],
  ])('%s: exactly the range asked for, or an error', async (_, source) => {
    expect(source.size).toBe(11);
    expect(decode(await source.read(6, 5))).toBe('world');
    expect(decode(await source.read(11, 0))).toBe('');
    for (const [offset, length] of [
      [0, 12],
      [11, 1],
      [-1, 2],
      [0, -1],
      [0.5, 1],
      [2 ** 53, 1],
      [Number.NaN, 1],
    ]) {
      const error = await errorOf(source.read(offset!, length!));
      expect(error).toMatchObject({ code: 'FORMAT', file: 'f' });
    }
    const aborted = AbortSignal.abort();
    expect((await errorOf(source.read(0, 1, aborted))).code).toBe('CANCELLED');
  });

  it('a medium that gives less than it promised is an IO error', async () => {
    const liar = { size: 20, slice: () => new Blob([bytes]) };
    const error = await errorOf(blobSource(liar, 'f').read(0, 20));
    expect(error.message).toMatch(/^f: short read at byte 0.*expected 20 bytes, found 11/);
    const broken = { size: 20, slice: () => ({ arrayBuffer: () => Promise.reject(new Error('gone')) }) };
    expect((await errorOf(blobSource(broken, 'f').read(0, 20))).code).toBe('IO');
  });

  it('bytes can be read at once; Blobs where the platform has a reader for it', async () => {
    const whole = syncOf(bytesSource(bytes, 'f'));
    expect(decode(whole.readSync(6, 5))).toBe('world');
    expect((await errorOf((async () => whole.readSync(6, 6))())).code).toBe('FORMAT');
    const blob = { size: 11, slice: (start: number, end: number) => ({ content: bytes.slice(start, end) }) };
    const source = () => blobSource(blob as unknown as Blob, 'f');
    expect(await errorOf((async () => syncOf(source()))())).toMatchObject({ code: 'UNSUPPORTED', file: 'f' });
    vi.stubGlobal(
      'FileReaderSync',
      class {
        readAsArrayBuffer = (part: { content: Uint8Array }) => part.content.slice().buffer;
      },
    );
    try {
      expect(decode(syncOf(source()).readSync(0, 5))).toBe('hello');
      const short = { ...blob, slice: () => blob.slice(0, 3) } as unknown as Blob;
      const error = await errorOf((async () => syncOf(blobSource(short, 'f')).readSync(0, 5))());
      expect(error.message).toMatch(/^f: short read at byte 0.*expected 5 bytes, found 3/);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('text is UTF-8, without its byte order mark', async () => {
    expect(await readText(bytesSource(new Uint8Array([0xef, 0xbb, 0xbf, 0xc3, 0xa9]), 't'))).toBe('é');
    expect((await errorOf(readText(bytesSource(new Uint8Array([0xff]), 't')))).message).toMatch(/not UTF-8/);
  });
});

describe('folders', () => {
  it('list and open by normalised paths', async () => {
    const folder = memoryFolder(
      [
        ['b/./c.txt', bytes],
        ['a.txt', blobSource(new Blob(['x']), 'a')],
      ],
      'study',
    );
    expect(await folder.list()).toEqual(['a.txt', 'b/c.txt']);
    expect((await folder.open('./b//c.txt')).name).toBe('study/b/c.txt');
    expect((await errorOf(folder.open('c.txt'))).message).toMatch(/^study\/c\.txt: no such file/);
  });

  it('refuse paths that lead out', () => {
    expect(relativePath('a/./b//c')).toBe('a/b/c');
    for (const path of [
      '',
      '.',
      '/',
      '/a',
      '..',
      'a/..',
      'a/../../b',
      'C:\\a',
      'c:a',
      'a\\b',
      'a\0b',
      './..',
    ]) {
      expect(() => relativePath(path, 'study.json', 'voxels.file'), path).toThrow(F2iError);
    }
  });
});

describe('pacer', () => {
  it('lets timers run during long work, and stops it when aborted', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const controller = new AbortController();
    const breathe = pacer(controller.signal, 'counting');
    // Without end if no timer ever ran.
    while (ticks < 3) await breathe();
    clearInterval(timer);
    controller.abort();
    expect(() => breathe()).toThrow(/counting was cancelled/);
  });
});
