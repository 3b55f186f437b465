import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytesSource, encodeNifti, type Nifti, openNifti, toFloat64 } from '../../src/index.ts';
import { errorOf } from './helpers/errors.ts';
import { itWith, sharedSource } from './helpers/shared_data.ts';

type Writer = (view: DataView, littleEndian: boolean) => void;

interface Image {
  version?: 1 | 2;
  littleEndian?: boolean;
  shape?: number[];
  datatype?: number;
  bits?: number;
  values?: number[];
  offset?: number;
  change?: Writer;
  gzip?: boolean;
}

/** Writes a value by DataView method, so that every type and byte order comes out as the standard says. */
const writers: Record<number, [number, (view: DataView, at: number, value: number, le: boolean) => void]> = {
  2: [1, (v, at, x) => v.setUint8(at, x)],
  4: [2, (v, at, x, le) => v.setInt16(at, x, le)],
  8: [4, (v, at, x, le) => v.setInt32(at, x, le)],
  16: [4, (v, at, x, le) => v.setFloat32(at, x, le)],
  64: [8, (v, at, x, le) => v.setFloat64(at, x, le)],
  256: [1, (v, at, x) => v.setInt8(at, x)],
  512: [2, (v, at, x, le) => v.setUint16(at, x, le)],
  768: [4, (v, at, x, le) => v.setUint32(at, x, le)],
  1024: [8, (v, at, x, le) => v.setBigInt64(at, BigInt(x), le)],
  1280: [8, (v, at, x, le) => v.setBigUint64(at, BigInt(x), le)],
};

function image(options: Image = {}): Uint8Array {
  const { version = 1, littleEndian: le = true, shape = [2, 3], datatype = 4 } = options;
  const [size, write] = writers[datatype] ?? [2, () => {}];
  const values = options.values ?? Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i);
  const offset = options.offset ?? (version === 1 ? 352 : 544);
  const bytes = new Uint8Array(offset + values.length * size);
  const view = new DataView(bytes.buffer);
  const bits = options.bits ?? size * 8;
  if (version === 1) {
    view.setInt32(0, 348, le);
    bytes.set([110, 43, 49, 0], 344);
    for (const [k, n] of [shape.length, ...shape].entries()) view.setInt16(40 + 2 * k, n, le);
    view.setInt16(70, datatype, le);
    view.setInt16(72, bits, le);
    for (let k = 1; k < 8; k++) view.setFloat32(76 + 4 * k, k === 4 ? 1.317025 : 2, le);
    view.setFloat32(108, offset, le);
    bytes[123] = 2 | 8;
  } else {
    view.setInt32(0, 540, le);
    bytes.set([110, 43, 50, 0, 13, 10, 26, 10], 4);
    for (const [k, n] of [shape.length, ...shape].entries()) view.setBigInt64(16 + 8 * k, BigInt(n), le);
    view.setInt16(12, datatype, le);
    view.setInt16(14, bits, le);
    for (let k = 1; k < 8; k++) view.setFloat64(104 + 8 * k, k === 4 ? 1317.025 : 2, le);
    view.setBigInt64(168, BigInt(offset), le);
    view.setInt32(500, 2 | 16, le);
  }
  options.change?.(view, le);
  for (const [i, value] of values.entries()) write(view, offset + i * size, value, le);
  return options.gzip ? gzipSync(bytes) : bytes;
}

const open = (bytes: Uint8Array) => openNifti(bytesSource(bytes, 'x.nii'));
const valuesOf = async (nifti: Nifti) => [...toFloat64(await nifti.readAll())];

describe('NIfTI', () => {
  const types = Object.keys(writers).map(Number);
  const cases = types.flatMap((datatype) =>
    ([1, 2] as const).flatMap((version) =>
      [true, false].map((littleEndian) => ({ datatype, version, littleEndian, gzip: littleEndian })),
    ),
  );
  it.each(cases)('reads $datatype, version $version, little-endian $littleEndian', async (options) => {
    const signed = [4, 8, 16, 64, 256, 1024].includes(options.datatype);
    const values = [0, 1, 2, 3, 100, signed ? -7 : 127];
    const nifti = await open(image({ ...options, values }));
    // x is fastest in the file; the array has the last axis fastest.
    expect(await valuesOf(nifti)).toEqual([0, 2, 100, 1, 3, values[5]]);
    expect((await nifti.readAll()).shape).toEqual([2, 3]);
    expect(nifti.header.littleEndian).toBe(options.littleEndian);
  });

  it('keeps 64-bit integers exact, and refuses to round them', async () => {
    const bytes = image({ datatype: 1280, values: [0, 0, 0, 0, 0, 2 ** 60] });
    const nifti = await open(bytes);
    expect((await nifti.readAll()).data[5]).toBe(2n ** 60n);
    expect(await errorOf(valuesOf(nifti))).toMatchObject({ code: 'FORMAT' });
  });

  it('scales, in float64', async () => {
    const change: Writer = (view, le) => {
      view.setFloat32(112, 0.1, le);
      view.setFloat32(116, -3, le);
    };
    const nifti = await open(image({ change }));
    const slope = Math.fround(0.1);
    expect(await valuesOf(nifti)).toEqual([0, 2, 4, 1, 3, 5].map((x) => slope * x - 3));
  });

  it.each([0, Number.NaN, Number.POSITIVE_INFINITY])('takes a slope of %d as no scaling', async (slope) => {
    const nifti = await open(image({ change: (view, le) => view.setFloat32(112, slope, le) }));
    expect(await valuesOf(nifti)).toEqual([0, 2, 4, 1, 3, 5]);
    expect(nifti.header.warnings.length).toBe(slope === 0 ? 0 : 1);
  });

  it('reads time: units, and the seven digits of float32', async () => {
    const shape = [1, 1, 1, 6];
    expect((await open(image({ shape }))).header.tr).toBe(1.317025);
    expect((await open(image({ shape, version: 2 }))).header.tr).toBeCloseTo(1.317025, 12);
    const unknown = await open(image({ shape, change: (view) => view.setUint8(123, 2) }));
    expect(unknown.header.tr).toBeUndefined();
    expect(unknown.header.warnings.join()).toMatch(/no usable repetition time/);
    expect((await open(image({ shape: [6] }))).header.tr).toBeUndefined();
  });

  it('reads volumes one by one, uncompressed lazily', async () => {
    const shape = [2, 1, 1, 3];
    for (const gzip of [false, true]) {
      const nifti = await open(image({ shape, gzip }));
      expect(nifti.header.volumes).toBe(3);
      expect([...(await nifti.readVolume(1))]).toEqual([2, 3]);
      const all: number[][] = [];
      for await (const volume of nifti.eachVolume()) all.push([...volume].map(Number));
      expect(all).toEqual([
        [0, 1],
        [2, 3],
        [4, 5],
      ]);
    }
  });

  it('reads volumes across pieces of a compressed file', async () => {
    const values = Float32Array.from({ length: 70_000 * 3 }, (_, i) => Math.sin(i));
    const bytes = encodeNifti({ data: values, dtype: 'f32', shape: [70, 100, 10, 3], tr: 2 });
    const nifti = await open(gzipSync(bytes));
    let at = 0;
    for await (const volume of nifti.eachVolume()) {
      expect(volume).toEqual(values.slice(at, at + 70_000));
      at += 70_000;
    }
    expect(at).toBe(210_000);
    expect(nifti.header.tr).toBe(2);
  });

  it('finds the affine: sform, then qform, then spacings', async () => {
    const plain = await open(image());
    expect(plain.header.affineFrom).toBe('spacing');
    expect(plain.header.affine[1]).toEqual([0, 2, 0, 0]);
    const rotate: Writer = (view, le) => {
      view.setInt16(252, 1, le);
      // 90 degrees about z: quaternion (cos 45, 0, 0, sin 45); qfac -1 turns the third column.
      view.setFloat32(264, Math.SQRT1_2, le);
      view.setFloat32(76, -1, le);
      view.setFloat32(268, 5, le);
    };
    const turned = await open(image({ change: rotate }));
    expect(turned.header.affineFrom).toBe('qform');
    const expected = [
      [0, -2, 0, 5],
      [2, 0, 0, 0],
      [0, 0, -2, 0],
      [0, 0, 0, 1],
    ];
    for (const [i, row] of turned.header.affine.entries()) {
      for (const [k, x] of row.entries()) expect(x).toBeCloseTo(expected[i]![k]!, 5);
    }
    const stated = await open(
      image({
        change: (view, le) => {
          rotate(view, le);
          view.setInt16(254, 2, le);
          for (let k = 0; k < 12; k++) view.setFloat32(280 + 4 * k, k, le);
        },
      }),
    );
    expect(stated.header.affine[2]).toEqual([8, 9, 10, 11]);
  });

  it('skips extensions, and lists them', async () => {
    const change: Writer = (view, le) => {
      view.setUint8(348, 1);
      view.setInt32(352, 32, le);
      view.setInt32(356, 6, le);
    };
    const nifti = await open(image({ offset: 384, change }));
    expect(nifti.header.extensions).toEqual([{ code: 6, bytes: 32 }]);
    expect(await valuesOf(nifti)).toEqual([0, 2, 4, 1, 3, 5]);
  });

  it('takes vox_offset 0 as the end of the header', async () => {
    const nifti = await open(image({ change: (view, le) => view.setFloat32(108, 0, le) }));
    expect(await valuesOf(nifti)).toEqual([0, 2, 4, 1, 3, 5]);
    expect(nifti.header.warnings.join()).toMatch(/vox_offset/);
  });

  it('round trip', async () => {
    const affine = [
      [2, 0, 0, -10],
      [0, 3, 0, 4],
      [0, 0, 4, 7],
      [0, 0, 0, 1],
    ];
    const data = new Int16Array([1, -2, 3, 4]);
    const nifti = await open(encodeNifti({ data, dtype: 'i16', shape: [2, 1, 1, 2], affine, tr: 0.8 }));
    expect(nifti.header).toMatchObject({
      affine,
      tr: 0.8,
      warnings: [],
      spacing: [2, 3, 4, Math.fround(0.8)],
    });
    expect(await nifti.readVolume(1)).toEqual(new Int16Array([3, 4]));
  });

  const at = (write: Writer): Image => ({ change: write });
  const malformed: [string, Uint8Array, string, string][] = [
    ['nothing', new Uint8Array(0), 'header', 'FORMAT'],
    ['another file', new Uint8Array(400), 'sizeof_hdr', 'FORMAT'],
    ['Analyze', image(at((v) => v.setUint32(344, 0))), 'magic', 'FORMAT'],
    ['a pair', image(at((v) => v.setUint8(345, 105))), 'magic', 'UNSUPPORTED'],
    ['no axes', image(at((v) => v.setInt16(40, 0, true))), 'dim[0]', 'FORMAT'],
    ['eight axes', image(at((v) => v.setInt16(40, 8, true))), 'dim[0]', 'FORMAT'],
    ['a negative extent', image(at((v) => v.setInt16(44, -3, true))), 'dim[2]', 'FORMAT'],
    ['a huge extent', image(at((v) => v.setInt16(44, 30000, true))), 'dim', 'FORMAT'],
    [
      'huge extents',
      image({ version: 2, change: (v) => v.setBigInt64(24, 2n ** 52n, true) }),
      'dim',
      'FORMAT',
    ],
    [
      'unsafe extents',
      image({ version: 2, change: (v) => v.setBigInt64(24, 2n ** 62n, true) }),
      'dim[1]',
      'FORMAT',
    ],
    ['a missing byte', image().subarray(0, -1), 'dim', 'FORMAT'],
    ['an extra byte', Buffer.concat([image(), Buffer.from([0])]), 'dim', 'FORMAT'],
    ['an unknown type', image(at((v) => v.setInt16(70, 3, true))), 'datatype', 'FORMAT'],
    ['float128', image(at((v) => v.setInt16(70, 1536, true))), 'datatype', 'UNSUPPORTED'],
    ['complex64', image(at((v) => v.setInt16(70, 32, true))), 'datatype', 'UNSUPPORTED'],
    ['a wrong bitpix', image({ bits: 8 }), 'bitpix', 'FORMAT'],
    ['an offset into the header', image(at((v) => v.setFloat32(108, 348, true))), 'vox_offset', 'FORMAT'],
    ['a fractional offset', image(at((v) => v.setFloat32(108, 352.5, true))), 'vox_offset', 'FORMAT'],
    [
      'an offset that is not a number',
      image(at((v) => v.setFloat32(108, Number.NaN, true))),
      'vox_offset',
      'FORMAT',
    ],
    ['an offset beyond the file', image(at((v) => v.setFloat32(108, 1e9, true))), 'vox_offset', 'FORMAT'],
    [
      'a slope without intercept',
      image(at((v) => [v.setFloat32(112, 1, true), v.setFloat32(116, Number.NaN, true)])),
      'scl_inter',
      'FORMAT',
    ],
    [
      'an extension of size 0',
      image({ offset: 384, change: (v) => v.setUint8(348, 1) }),
      'extension',
      'FORMAT',
    ],
    [
      'a version 2 damaged as text',
      image({ version: 2, change: (v) => v.setUint8(8, 10) }),
      'magic',
      'FORMAT',
    ],
  ];
  it.each(malformed)('rejects %s', async (_, bytes, field, code) => {
    const error = await errorOf(open(bytes));
    expect(error).toMatchObject({ code, field, file: 'x.nii' });
    const packed = await errorOf(open(gzipSync(bytes)));
    expect(packed).toMatchObject({ code, file: 'x.nii' });
  });

  it('rejects a compressed image that holds too little or too much, or is damaged', async () => {
    const whole = image();
    expect((await errorOf(open(gzipSync(whole.subarray(0, -2))))).message).toMatch(/expected 12 .* found 10/);
    expect((await errorOf(open(gzipSync(Buffer.concat([whole, whole]))))).message).toMatch(/found \d+/);
    const damaged = gzipSync(whole);
    damaged[damaged.length - 6]! ^= 4;
    expect((await errorOf(open(damaged).then((nifti) => nifti.readAll()))).field).toBe('compressed data');
  });

  itWith('data')('reads the Haxby slice', async () => {
    const bold = await openNifti(await sharedSource('haxby/bold.nii.gz'));
    expect(bold.header).toMatchObject({ shape: [40, 20, 1, 1452], dtype: 'i16', volumes: 1452 });
    const mask = await (await openNifti(await sharedSource('haxby/mask.nii.gz'))).readAll();
    expect([...mask.data].filter((x) => Number(x) !== 0)).toHaveLength(530);
  });

  itWith('data')('notices seconds that must be milliseconds', async () => {
    const { header, readVolume } = await openNifti(await sharedSource('haxby/example4d.nii.gz'));
    expect(header.shape).toEqual([128, 96, 24, 2]);
    expect(header.tr).toBe(2000);
    expect(header.warnings.join()).toMatch(/milliseconds/);
    expect((await readVolume(1)).length).toBe(128 * 96 * 24);
  });
});
