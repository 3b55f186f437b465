import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  encodeNpy,
  F2iError,
  type NdArray,
  openNpz,
  toF16Bits,
  toFloat32,
} from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';
import { itWith, sharedSource } from './helpers/shared_data.ts';

const a: NdArray = {
  dtype: 'f32',
  shape: [64, 3],
  data: Float32Array.from({ length: 192 }, (_, i) => i % 7),
};
const b: NdArray = { dtype: 'i16', shape: [2], data: new Int16Array([-1, 1]) };
const npz = (level: 0 | 6) => zipSync({ 'a.npy': encodeNpy(a), 'b.npy': encodeNpy(b) }, { level });
const open = (bytes: Uint8Array) => openNpz(bytesSource(bytes, 'x.npz'));

/** Rewrites an archive without zip64 fields as one that has them everywhere. */
function asZip64(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - 22;
  const count = view.getUint16(end + 10, true);
  const start = view.getUint32(end + 16, true);
  const parts: Uint8Array[] = [bytes.subarray(0, start)];
  let size = 0;
  for (let at = start, i = 0; i < count; i++) {
    const nameLength = view.getUint16(at + 28, true);
    const entry = new Uint8Array(46 + nameLength + 28);
    entry.set(bytes.subarray(at, at + 46 + nameLength));
    const out = new DataView(entry.buffer);
    const extra = 46 + nameLength;
    out.setUint16(30, 28, true);
    out.setUint16(extra, 1, true);
    out.setUint16(extra + 2, 24, true);
    out.setBigUint64(extra + 4, BigInt(out.getUint32(24, true)), true);
    out.setBigUint64(extra + 12, BigInt(out.getUint32(20, true)), true);
    out.setBigUint64(extra + 20, BigInt(out.getUint32(42, true)), true);
    for (const place of [20, 24, 42]) out.setUint32(place, 0xffffffff, true);
    parts.push(entry);
    size += entry.length;
    at += 46 + nameLength + view.getUint16(at + 30, true);
  }
  const tail = new DataView(new ArrayBuffer(56 + 20 + 22));
  tail.setUint32(0, 0x06064b50, true);
  tail.setBigUint64(4, 44n, true);
  tail.setBigUint64(24, BigInt(count), true);
  tail.setBigUint64(32, BigInt(count), true);
  tail.setBigUint64(40, BigInt(size), true);
  tail.setBigUint64(48, BigInt(start), true);
  tail.setUint32(56, 0x07064b50, true);
  tail.setBigUint64(64, BigInt(start + size), true);
  tail.setUint32(72, 1, true);
  tail.setUint32(76, 0x06054b50, true);
  for (const place of [84, 86]) tail.setUint16(place, 0xffff, true);
  for (const place of [88, 92]) tail.setUint32(place, 0xffffffff, true);
  parts.push(new Uint8Array(tail.buffer));
  return Buffer.concat(parts);
}

describe('npz', () => {
  it('holds float16, as patterns that convert exactly', async () => {
    const halves = [0, 1, -2.5, 65_504, 2 ** -24, Number.POSITIVE_INFINITY];
    const data = Uint16Array.from(halves, toF16Bits);
    const bytes = zipSync({ 'a.npy': encodeNpy({ dtype: 'f16', shape: [2, 3], data }) });
    const array = await (await open(bytes)).read('a');
    expect(array).toEqual({ dtype: 'f16', shape: [2, 3], data });
    expect([...toFloat32(array)]).toEqual(halves);
  });

  it.each([0, 6] as const)('reads arrays (level %i)', async (level) => {
    const opened = await open(npz(level));
    expect(opened.names).toEqual(['a', 'b']);
    expect(await opened.read('a')).toEqual(a);
    expect(await opened.read('b')).toEqual(b);
    expect((await errorOf(opened.read('c'))).message).toMatch(
      /x\.npz: c: no such array; expected one of a, b/,
    );
  });

  it('reads zip64', async () => {
    const opened = await open(asZip64(npz(6)));
    expect(await opened.read('a')).toEqual(a);
    expect(await opened.read('b')).toEqual(b);
  });

  it('finds the directory behind a comment', async () => {
    const bytes = npz(0);
    const commented = new Uint8Array(bytes.length + 5);
    commented.set(bytes);
    commented[bytes.length - 2] = 5;
    expect((await open(commented)).names).toEqual(['a', 'b']);
  });

  /** Offset of the directory. */
  const directory = (bytes: Uint8Array) => new DataView(bytes.buffer).getUint32(bytes.length - 6, true);
  const patch = (level: 0 | 6, change: (view: DataView, directory: number) => unknown) => {
    const bytes = npz(level);
    change(new DataView(bytes.buffer), directory(bytes));
    return bytes;
  };
  const malformed: [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(0), /end of central directory: a damaged zip/],
    ['a missing end', npz(0).subarray(0, -1), /end of central directory: a damaged zip/],
    ['bytes after the end', Buffer.concat([npz(0), Buffer.from('x')]), /a damaged zip/],
    ['bytes before the start', Buffer.concat([Buffer.from('x'), npz(0)]), /prepended data/],
    ['a wrong CRC', patch(0, (v, d) => [v.setUint32(d + 16, 1, true), v.setUint32(14, 1, true)]), /CRC-32/],
    ['damaged data', patch(0, (v) => v.setUint8(100, 1)), /CRC-32/],
    ['damaged packed data', patch(6, (v) => v.setUint8(60, v.getUint8(60) ^ 255)), /compressed data|CRC-32/],
    ['a contradiction', patch(0, (v, d) => v.setUint32(d + 16, 1, true)), /mismatched local file header/],
    ['another name', patch(0, (v) => v.setUint8(30, 99)), /mismatched local file header \(filename/],
    [
      'a size that lies',
      patch(6, (v, d) => [v.setUint32(d + 24, 900, true), v.setUint32(22, 900, true)]),
      /size|CRC-32/,
    ],
    ['a bomb', patch(6, (v, d) => v.setUint32(d + 24, 0xfffffffe, true)), /cannot be as large/],
    ['an unknown method', patch(6, (v, d) => v.setUint16(d + 10, 12, true)), /this compression/],
    ['encryption', patch(6, (v, d) => v.setUint16(d + 8, 1, true)), /encrypted/],
    ['an offset beyond', patch(6, (v, d) => v.setUint32(d + 42, 1e6, true)), /outside/],
    ['a length beyond', patch(6, (v, d) => v.setUint32(d + 20, 0xfffffffe, true)), /outside/],
    ['a directory beyond', patch(6, (v) => v.setUint32(v.byteLength - 6, 1e6, true)), /directory offset/],
    [
      'too many entries',
      patch(6, (v) => [v.setUint16(v.byteLength - 12, 3, true), v.setUint16(v.byteLength - 14, 3, true)]),
      /central directory: a damaged zip/,
    ],
    ['a name twice', patch(0, (v, d) => v.setUint8(d + 46 + 46 + 5, 97)), /duplicate filename/],
  ];
  it.each(malformed)('rejects %s', async (_, bytes, message) => {
    const error = await errorOf(open(bytes).then((opened) => opened.read('a')));
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^x\.npz/);
  });

  it('rejects files that overlap', async () => {
    // The first file holds, as its data, a whole second one, to which the directory points.
    const inner = zipSync({ 'b.npy': encodeNpy(b) }, { level: 0 });
    const quoted = inner.subarray(0, directory(inner));
    const bytes = zipSync({ 'a.npy': quoted, 'b.npy': encodeNpy(b) }, { level: 0 });
    const view = new DataView(bytes.buffer);
    view.setUint32(directory(bytes) + 46 + 5 + 42, 30 + 5, true);
    const { zip, read } = await open(bytes);
    expect(await read('b')).toEqual(b);
    const error = await errorOf(zip.read(zip.entries[0]!));
    expect(error).toMatchObject({ code: 'FORMAT', file: 'x.npz/a.npy' });
    expect(error.message).toMatch(/overlapping/i);
  });

  it('takes no more memory than stated for what expands further', async () => {
    const bytes = zipSync({ 'a.npy': new Uint8Array(50_000_000) }, { level: 9 });
    const view = new DataView(bytes.buffer);
    for (const at of [directory(bytes) + 24, 22]) view.setUint32(at, 1000, true);
    const { zip } = await open(bytes);
    expect((await errorOf(zip.read(zip.entries[0]!))).code).toBe('FORMAT');
  });

  it('reads of a large archive only what is asked for', async () => {
    const large: NdArray = {
      dtype: 'f32',
      shape: [500_000],
      data: Float32Array.from({ length: 500_000 }, (_, i) => Math.sin(i)),
    };
    const bytes = zipSync({ 'a.npy': encodeNpy(a), 'large.npy': encodeNpy(large) }, { level: 1 });
    const inner = bytesSource(bytes, 'x.npz');
    let count = 0;
    const opened = await openNpz({
      ...inner,
      async read(offset, length, signal) {
        count += length;
        return inner.read(offset, length, signal);
      },
    });
    expect(await opened.read('a')).toEqual(a);
    await opened.zip.peek(opened.entry('large'));
    expect(count).toBeLessThan(bytes.length / 2);
  });

  it('passes on what the medium says, and cancellation', async () => {
    const inner = bytesSource(npz(6), 'x.npz');
    let isBroken = false;
    const opened = await openNpz({
      ...inner,
      async read(offset, length, signal) {
        if (isBroken) throw new F2iError('IO', 'unplugged', { file: 'x.npz' });
        return inner.read(offset, length, signal);
      },
    });
    const controller = new AbortController();
    const pending = opened.read('a', controller.signal);
    controller.abort();
    expect((await errorOf(pending)).code).toBe('CANCELLED');
    isBroken = true;
    expect((await errorOf(opened.read('a'))).code).toBe('IO');
  });

  itWith('data')('reads the stimulus of v1-bars', async () => {
    const stimulus = await (await openNpz(await sharedSource('v1-bars/dm_gazecenter.npz'))).read('arr_0');
    expect(stimulus.dtype).toBe('f32');
    expect(stimulus.shape).toEqual([150, 80, 45]);
    const values = stimulus.data as Float32Array;
    expect(values.reduce((max, x) => Math.max(max, x), 0)).toBe(9);
  });
});
