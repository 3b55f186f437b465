import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { bytesSource, encodeNpy, type NdArray, openNpz } from '../../src/index.ts';
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
    ['nothing', new Uint8Array(0), /not a complete zip archive|ends too early/],
    ['a missing end', npz(0).subarray(0, -1), /directory is missing/],
    ['a wrong CRC', patch(0, (v, d) => [v.setUint32(d + 16, 1, true), v.setUint32(14, 1, true)]), /damaged/],
    ['a contradiction', patch(0, (v, d) => v.setUint32(d + 16, 1, true)), /contradicts/],
    ['a size that lies', patch(6, (v, d) => v.setUint32(d + 24, 900, true)), /another size/],
    ['a bomb', patch(6, (v, d) => v.setUint32(d + 24, 0xfffffffe, true)), /cannot expand so far/],
    ['an unknown method', patch(6, (v, d) => v.setUint16(d + 10, 12, true)), /this compression/],
    ['encryption', patch(6, (v, d) => v.setUint16(d + 8, 1, true)), /encrypted/],
    ['an offset beyond', patch(6, (v, d) => v.setUint32(d + 42, 1e6, true)), /outside/],
    ['a directory beyond', patch(6, (v) => v.setUint32(v.byteLength - 6, 1e6, true)), /outside/],
    [
      'too many entries',
      patch(6, (v) => [v.setUint16(v.byteLength - 12, 3, true), v.setUint16(v.byteLength - 14, 3, true)]),
      /malformed|outside/,
    ],
  ];
  it.each(malformed)('rejects %s', async (_, bytes, message) => {
    const error = await errorOf(open(bytes).then((opened) => opened.read('a')));
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^x\.npz/);
  });

  it('rejects files that overlap', async () => {
    const bytes = npz(0);
    const d = directory(bytes);
    const view = new DataView(bytes.buffer);
    const second = d + 46 + view.getUint16(d + 28, true);
    view.setUint32(second + 42, 10, true);
    expect((await errorOf(open(bytes))).message).toMatch(/overlap/);
  });

  itWith('data')('reads the stimulus of v1-bars', async () => {
    const stimulus = await (await openNpz(await sharedSource('v1-bars/dm_gazecenter.npz'))).read('arr_0');
    expect(stimulus.dtype).toBe('f32');
    expect(stimulus.shape).toEqual([150, 80, 45]);
    const values = stimulus.data as Float32Array;
    expect(values.reduce((max, x) => Math.max(max, x), 0)).toBe(9);
  });
});
