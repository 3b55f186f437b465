import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesSource, encodeSafetensors, type NdArray, openSafetensors, sizeOf } from '../../src/index.ts';

import { errorOf } from './helpers/errors.ts';
import { goldensRoot, itWith, sharedSource } from './helpers/shared_data.ts';

function file(header: unknown, data: number[] = []): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}
const open = (bytes: Uint8Array) => openSafetensors(bytesSource(bytes, 'w.safetensors'));

describe('safetensors', () => {
  const tensors: (NdArray & { name: string })[] = [
    { name: '10', dtype: 'f32', shape: [2, 3], data: new Float32Array([1, 2, 3, 4, 5, 6]) },
    { name: '2', dtype: 'u8', shape: [3], data: new Uint8Array([7, 8, 9]) },
    { name: 'empty', dtype: 'i64', shape: [0, 2], data: new BigInt64Array(0) },
    { name: 'é"', dtype: 'f64', shape: [], data: new Float64Array([0.1]) },
    { name: '__proto__', dtype: 'bf16', shape: [1], data: new Uint16Array([0x3f80]) },
  ];

  it('round trip, with names that trip up objects, and unaligned data', async () => {
    const opened = await open(encodeSafetensors(tensors, { format: 'pt' }));
    expect(opened.dataOffset % 64).toBe(0);
    expect(opened.metadata.get('format')).toBe('pt');
    expect([...opened.entries.keys()].sort()).toEqual(tensors.map(({ name }) => name).sort());
    for (const { name, ...array } of tensors) expect(await opened.read(name)).toEqual(array);
  });

  it('reads rows, and only their bytes', async () => {
    const ranges: number[] = [];
    const source = bytesSource(encodeSafetensors(tensors), 'w.safetensors');
    const counting = {
      ...source,
      read(offset: number, length: number) {
        ranges.push(length);
        return source.read(offset, length);
      },
    };
    const opened = await openSafetensors(counting);
    ranges.length = 0;
    const rows = await opened.readRows('10', 1, 2);
    expect(rows).toEqual({ dtype: 'f32', shape: [1, 3], data: new Float32Array([4, 5, 6]) });
    expect(ranges).toEqual([12]);
    expect((await errorOf(opened.readRows('10', 1, 3))).code).toBe('INVALID_ARGUMENT');
    expect((await errorOf(opened.read('ten'))).message).toMatch(/ten: no such tensor; expected one of/);
  });

  const entry = (begin: number, end: number, n = end - begin) => ({
    dtype: 'U8',
    shape: [n],
    data_offsets: [begin, end],
  });
  const malformed: [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(0), /too short/],
    ['a lying header length', new Uint8Array([255, 255, 255, 255, 255, 255, 255, 255, 123, 125]), /length/],
    ['a header length beyond the file', file('{}').subarray(0, 9), /too short/],
    ['a list', file('[]'), /expected \{/],
    ['a byte order mark', file('\ufeff{}'), /expected \{/],
    ['not UTF-8', file('{"a":"\\u00"}'), /not a valid string/],
    ['an overlap', file({ a: entry(0, 2), b: entry(1, 3) }, [1, 2, 3]), /overlap/],
    ['a hole', file({ a: entry(0, 1), b: entry(2, 3) }, [1, 2, 3]), /hole/],
    ['a hole at the start', file({ a: entry(1, 2) }, [1, 2]), /hole/],
    ['data after the last tensor', file({ a: entry(0, 1) }, [1, 2]), /amount of data/],
    ['missing data', file({ a: entry(0, 3) }, [1, 2]), /amount of data/],
    ['a wrong size', file({ a: entry(0, 2, 3) }, [1, 2]), /range of 3 bytes/],
    ['a reversed range', file({ a: { dtype: 'U8', shape: [1], data_offsets: [2, 1] } }, [1, 2]), /range/],
    [
      'an overflowing shape',
      file({ a: { dtype: 'U8', shape: [2 ** 52, 4], data_offsets: [0, 0] } }),
      /range/,
    ],
    ['a duplicate name', file('{"a":1,"a":1}'), /"a" occurs twice/],
    ['an unknown key', file({ a: { ...entry(0, 1), x: 1 } }, [1]), /a\.x/],
    [
      'a fractional extent',
      file({ a: { dtype: 'U8', shape: [0.5], data_offsets: [0, 1] } }, [1]),
      /a\.shape/,
    ],
    ['a negative offset', file({ a: { dtype: 'U8', shape: [1], data_offsets: [-1, 0] } }), /data_offsets/],
    ['metadata that is not text', file({ __metadata__: { a: 1 } }), /__metadata__\.a/],
    ['deep nesting', file('{"a":'.repeat(5000)), /nested deeper/],
  ];
  it.each(malformed)('rejects %s', async (_, bytes, message) => {
    const error = await errorOf(open(bytes));
    expect(error.code).toBe('FORMAT');
    expect(error.message).toMatch(message);
    expect(error.file).toBe('w.safetensors');
  });

  it('names types that it does not read', async () => {
    const error = await errorOf(open(file({ a: { ...entry(0, 1), dtype: 'F8_E4M3' } }, [1])));
    expect(error.code).toBe('UNSUPPORTED');
  });

  itWith('goldens')('reads every golden file', async () => {
    const names = readdirSync(goldensRoot).filter((name) => name.endsWith('.safetensors'));
    expect(names.length).toBeGreaterThan(50);
    for (const name of names) {
      const opened = await openSafetensors(await sharedSource(name, goldensRoot));
      for (const key of opened.entries.keys()) {
        const { shape, data } = await opened.read(key);
        expect(data.length).toBe(sizeOf(shape));
      }
    }
  });
});
