import { describe, expect, it } from 'vitest';
import { bytesSource, encodeNpy, type NdArray, readNpy, toFloat32, toFloat64 } from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';

/** An npy file as Python would write it, from the text of its dictionary. */
function npy(dictionary: string, data: Uint8Array | number[], version = 1): Uint8Array {
  const header = new TextEncoder().encode(`${dictionary}\n`);
  const prefix = version === 1 ? 10 : 12;
  const bytes = new Uint8Array(prefix + header.length + data.length);
  bytes.set([0x93, ...new TextEncoder().encode('NUMPY'), version, 0]);
  const view = new DataView(bytes.buffer);
  if (version === 1) view.setUint16(8, header.length, true);
  else view.setUint32(8, header.length, true);
  bytes.set(header, prefix);
  bytes.set(data, prefix + header.length);
  return bytes;
}

const read = (bytes: Uint8Array) => readNpy(bytesSource(bytes, 'x.npy'));
const dictionary = (descr: string, shape: string, fortran = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;

describe('npy', () => {
  const arrays: NdArray[] = [
    { dtype: 'bool', shape: [2, 2], data: new Uint8Array([0, 1, 1, 0]) },
    { dtype: 'u8', shape: [3], data: new Uint8Array([0, 128, 255]) },
    { dtype: 'i8', shape: [3], data: new Int8Array([-128, 0, 127]) },
    { dtype: 'u16', shape: [2], data: new Uint16Array([1, 65535]) },
    { dtype: 'i16', shape: [2], data: new Int16Array([-32768, 5]) },
    { dtype: 'u32', shape: [2], data: new Uint32Array([1, 2 ** 32 - 1]) },
    { dtype: 'i32', shape: [2], data: new Int32Array([-(2 ** 31), 7]) },
    { dtype: 'u64', shape: [1], data: new BigUint64Array([2n ** 64n - 1n]) },
    { dtype: 'i64', shape: [1], data: new BigInt64Array([-(2n ** 63n)]) },
    { dtype: 'f16', shape: [2], data: new Uint16Array([0x3c00, 0xc000]) },
    { dtype: 'f32', shape: [1, 3], data: new Float32Array([1.5, -0.1, Number.NaN]) },
    { dtype: 'f64', shape: [], data: new Float64Array([Math.PI]) },
    { dtype: 'f64', shape: [0, 4], data: new Float64Array(0) },
  ];
  it.each(arrays)('round trip of $dtype $shape', async (array) => {
    expect(await read(encodeNpy(array))).toEqual(array);
  });

  it('writes the bytes that NumPy writes', () => {
    const bytes = encodeNpy({ dtype: 'f32', shape: [2, 1], data: new Float32Array([1, 2]) });
    const head = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
    expect(bytes.length).toBe(128 + 8);
    expect(new TextDecoder('latin1').decode(bytes.subarray(10, 128))).toBe(`${head.padEnd(117)}\n`);
  });

  it('reads big-endian, Fortran order, and all versions', async () => {
    // The column-major data of [[1, 2, 3], [4, 5, 6]].
    const data = [0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6];
    for (const version of [1, 2, 3]) {
      const array = await read(npy(dictionary('>i2', '(2, 3)', 'True'), data, version));
      expect(array).toEqual({ dtype: 'i16', shape: [2, 3], data: new Int16Array([1, 2, 3, 4, 5, 6]) });
    }
  });

  it('transposes three axes', async () => {
    const shape = [2, 3, 4];
    const columns = new Uint8Array(24);
    for (let i = 0; i < 2; i++)
      for (let j = 0; j < 3; j++)
        for (let k = 0; k < 4; k++) columns[i + 2 * (j + 3 * k)] = 100 * i + 10 * j + k;
    const { data } = await read(npy(dictionary('|u1', '(2, 3, 4)', 'True'), columns));
    expect(data.length).toBe(shape.reduce((a, b) => a * b));
    expect([...data.slice(0, 6)]).toEqual([0, 1, 2, 3, 10, 11]);
    expect(data[23]).toBe(123);
  });

  it('reads other spellings of the dictionary', async () => {
    const array = await read(npy('{"shape":(2L,),"descr":"|u1","fortran_order":False}', [7, 8]));
    expect(array.shape).toEqual([2]);
  });

  it('refuses objects unread, and types that are not numbers', async () => {
    const pickle = await errorOf(read(npy(dictionary('|O', '(1,)'), [0x80, 0x03, 0x2e])));
    expect(pickle.code).toBe('UNSUPPORTED');
    expect(pickle.message).toMatch(/x\.npy: descr: object arrays.*refused/);
    for (const descr of ['<c8', '<U4', '|S3', '<M8[ns]', '<f16', '|V8']) {
      expect((await errorOf(read(npy(dictionary(descr, '(1,)'), [])))).code).toBe('UNSUPPORTED');
    }
    const structured = npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", []);
    expect((await errorOf(read(structured))).code).toBe('UNSUPPORTED');
  });

  const malformed: [string, Uint8Array, string][] = [
    ['empty', new Uint8Array(0), 'magic'],
    ['another file', new Uint8Array(100), 'magic'],
    ['version 4', npy(dictionary('|u1', '(1,)'), [1], 4), 'version'],
    ['a header cut short', npy(dictionary('<f4', '(2,)'), []).subarray(0, 40), 'header'],
    ['a header that is too long', npy(dictionary('|u1', '(1,)').padEnd(2 ** 21), [1], 2), 'header length'],
    ['short data', npy(dictionary('<f4', '(2,)'), [1, 2, 3, 4]), 'shape'],
    ['long data', npy(dictionary('|u1', '(2,)'), [1, 2, 3, 4]), 'shape'],
    ['a huge shape', npy(dictionary('<f8', '(9007199254740991, 9007199254740991)'), []), 'shape'],
    ['an unsafe extent', npy(dictionary('<f8', '(99999999999999999999,)'), []), 'shape'],
    ['a negative extent', npy(dictionary('<f8', '(-1,)'), []), 'shape'],
    ['a number as shape', npy(dictionary('|u1', '(1)'), [1]), 'shape'],
    ['no byte order', npy(dictionary('|f4', '(1,)'), [1, 2, 3, 4]), 'descr'],
    ['a duplicate key', npy("{'descr': '|u1', 'descr': '|u1', 'shape': (1,)}", [1]), 'descr'],
    ['a missing key', npy("{'descr': '|u1', 'shape': (1,)}", [1]), 'header'],
    ['an expression', npy("{'descr': exec('1'), 'fortran_order': False, 'shape': ()}", [1]), 'descr'],
    ['text after the dictionary', npy(`${dictionary('|u1', '(1,)')} x`, [1]), 'header'],
    ['a bool of 2', npy(dictionary('|b1', '(1,)'), [2]), 'data'],
  ];
  it.each(malformed)('rejects %s', async (_, bytes, field) => {
    const error = await errorOf(read(bytes));
    expect(error.code).toBe('FORMAT');
    expect(error.file).toBe('x.npy');
    expect(error.field).toBe(field);
  });
});

describe('conversion to floats', () => {
  it('knows f16 and bf16', () => {
    const bits = [0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x7c00, 0xfc00, 0x7e00];
    const f16: NdArray = { dtype: 'f16', shape: [bits.length], data: new Uint16Array(bits) };
    const values = [0, -0, 1, -2, 65504, 2 ** -24, 1023 * 2 ** -24, 2 ** -14];
    expect([...toFloat64(f16)]).toEqual([...values, Infinity, -Infinity, Number.NaN]);
    const bf16: NdArray = { dtype: 'bf16', shape: [3], data: new Uint16Array([0x3f80, 0xc049, 0x7f80]) };
    expect([...toFloat32(bf16)]).toEqual([1, -3.140625, Infinity]);
  });

  it('rejects what does not fit', () => {
    const wide: NdArray = { dtype: 'i64', shape: [2], data: new BigInt64Array([1n, -(2n ** 53n)]) };
    expect(() => toFloat64(wide, { file: 'a.npy' })).toThrow(/a\.npy.*found -9007199254740992 at element 1/);
    const large: NdArray = { dtype: 'f64', shape: [1], data: new Float64Array([1e39]) };
    expect(() => toFloat32(large)).toThrow(/1e\+39 at element 0/);
    const infinite: NdArray = { dtype: 'f64', shape: [1], data: new Float64Array([Infinity]) };
    expect(toFloat32(infinite)[0]).toBe(Infinity);
  });
});
