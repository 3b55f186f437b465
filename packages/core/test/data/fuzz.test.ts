import { deflateSync, gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  createRandom,
  elementCount,
  encodeHdf5,
  encodeNifti,
  encodeNpy,
  encodePng,
  encodeSafetensors,
  encodeTar,
  F2iError,
  inspectFile,
  type NdArray,
  parseJson,
  readAll,
  readArray,
  tarEntries,
} from '../../src/index.ts';
import { CLASS, MatWriter } from './helpers/matlab_file.ts';

/**
 * Damaged files of every format: each truncation (of small files), random bit flips, bytes overwritten with values that
 * headers choke on, and pieces doubled or cut out. A reader must throw an F2iError or give an array that is whole; where
 * the format has checksums, only the true content. Seeded, and bounded in time by the number of trials.
 */
const values = Float32Array.from({ length: 120 }, (_, i) => Math.fround(Math.sin(i)));
const array: NdArray = { dtype: 'f32', shape: [6, 20], data: values };
const picture = {
  width: 12,
  height: 10,
  channels: 1 as const,
  data: values.map((x) => Math.round(Math.abs(x) * 255) / 255),
};
const nifti = encodeNifti({ data: values, dtype: 'f32', shape: [2, 3, 4, 5], tr: 2 });
const table = new TextEncoder().encode(
  `${Array.from({ length: 6 }, (_, r) => Array.from(values.subarray(r * 20, r * 20 + 20)).join('\t')).join('\n')}\n`,
);

const mat = new MatWriter();
const text = mat.matrix('', CLASS.char, 4, [1, 2], [86, 49]);
const numbers = mat.matrix('', CLASS.single, 7, [6, 20], [...values]);
const struct = mat.struct('roi', [1, 1], ['name', 'betas'], [text, numbers]);
const bytesOfValues = Buffer.from(values.buffer);
const gifti = (encoding: string, data: string) =>
  new TextEncoder().encode(`<?xml version="1.0" encoding="UTF-8"?>
<GIFTI Version="1.0" NumberOfDataArrays="1"><LabelTable><Label Key="0">&lt;none&gt;</Label></LabelTable>
<DataArray Intent="NIFTI_INTENT_NONE" DataType="NIFTI_TYPE_FLOAT32" ArrayIndexingOrder="RowMajorOrder" Dimensionality="2"
 Dim0="6" Dim1="20" Encoding="${encoding}" Endian="LittleEndian"><Data>${data}</Data></DataArray></GIFTI>`);
const hdf5 = { a: { array, chunks: [2, 20], deflate: 1, attributes: { MATLAB_class: 'single' } } };
const block = Buffer.alloc(512, 'MATLAB 7.3');
block.set([0, 2, 0x49, 0x4d], 124);

/** `step` and `trials` thin out what is slow to open. */
const files: { name: string; bytes: Uint8Array; checked: boolean; step?: number; trials?: number }[] = [
  { name: 'a.npy', bytes: encodeNpy(array), checked: false },
  { name: 'stored.npz', bytes: zipSync({ 'a.npy': encodeNpy(array) }, { level: 0 }), checked: true },
  { name: 'deflated.npz', bytes: zipSync({ 'a.npy': encodeNpy(array) }, { level: 6 }), checked: true },
  { name: 'a.nii', bytes: nifti, checked: false },
  { name: 'a.nii.gz', bytes: gzipSync(nifti), checked: true },
  { name: 'a.tsv', bytes: table, checked: false },
  { name: 'a.tsv.gz', bytes: gzipSync(table), checked: true },
  { name: 'a.safetensors', bytes: encodeSafetensors([{ name: 'a', ...array }]), checked: false },
  { name: 'a.png', bytes: encodePng(picture), checked: true },
  { name: 'a.mat', bytes: mat.file(struct), checked: false, trials: 600 },
  { name: 'compressed.mat', bytes: mat.file(mat.compressed(struct)), checked: true, trials: 600 },
  { name: 'ascii.gii', bytes: gifti('ASCII', [...values].join(' ')), checked: false, step: 7, trials: 400 },
  {
    name: 'a.gii',
    bytes: gifti('Base64Binary', bytesOfValues.toString('base64')),
    checked: false,
    step: 3,
    trials: 400,
  },
  {
    name: 'packed.gii',
    bytes: gifti('GZipBase64Binary', deflateSync(bytesOfValues).toString('base64')),
    checked: false,
    step: 3,
    trials: 400,
  },
  { name: 'a.h5', bytes: await encodeHdf5(hdf5), checked: false, step: 41, trials: 300 },
  {
    name: '7.3.mat',
    bytes: Buffer.concat([block, await encodeHdf5(hdf5)]),
    checked: false,
    step: 61,
    trials: 200,
  },
];

/** Values that sizes, counts and offsets take when somebody means harm. */
const nasty = [0, 1, 0x7f, 0x80, 0xff];

function damaged(bytes: Uint8Array, random: ReturnType<typeof createRandom>): Uint8Array {
  const copy = Uint8Array.from(bytes);
  // Half of the damage goes to the first and last bytes, where headers and directories are.
  const place = () => {
    const region = random.integer(4);
    const near = Math.min(400, copy.length);
    if (region === 0) return random.integer(near);
    if (region === 1) return copy.length - 1 - random.integer(near);
    return random.integer(copy.length);
  };
  switch (random.integer(4)) {
    case 0:
      for (let k = random.integer(3); k >= 0; k--) copy[place()]! ^= 1 << random.integer(8);
      return copy;
    case 1: {
      const at = place();
      copy.fill(nasty[random.integer(nasty.length)]!, at, at + 1 + random.integer(8));
      return copy;
    }
    case 2: {
      const at = place();
      return Buffer.concat([
        copy.subarray(0, at),
        copy.subarray(Math.min(copy.length, at + 1 + random.integer(40))),
      ]);
    }
    default: {
      const at = place();
      const end = Math.min(copy.length, at + 1 + random.integer(40));
      return Buffer.concat([copy.subarray(0, end), copy.subarray(at)]);
    }
  }
}

async function attempt(bytes: Uint8Array, name: string): Promise<NdArray | F2iError> {
  for (const read of [inspectFile, readArray] as const) {
    try {
      const result = await read(bytesSource(bytes, name));
      if (read === readArray) return result as NdArray;
    } catch (error) {
      if (!(error instanceof F2iError)) throw error;
      expect(error.file ?? '', error.message).toContain(name);
      expect(['FORMAT', 'UNSUPPORTED', 'USAGE'], error.message).toContain(error.code);
      if (read === readArray) return error;
    }
  }
  throw new Error('not reached');
}

describe('damaged files', { timeout: 60_000 }, () => {
  for (const { name, bytes, checked, step = 1, trials = 1500 } of files) {
    it(`${name}: ${step === 1 ? 'every truncation' : `every ${step}th truncation`}`, async () => {
      for (let length = 0; length < bytes.length; length += step) {
        const result = await attempt(bytes.subarray(0, length), name);
        // Of a text, whole lines may be missing unnoticed, and digits of the last number.
        if (name !== 'a.tsv') expect(result, `cut to ${length}`).toBeInstanceOf(F2iError);
      }
    });

    it(`${name}: ${trials} kinds of damage`, async () => {
      const truth = await readArray(bytesSource(bytes, name));
      const random = createRandom(2024);
      let errors = 0;
      for (let trial = 0; trial < trials; trial++) {
        const result = await attempt(damaged(bytes, random), name);
        if (result instanceof F2iError) errors++;
        else {
          expect(elementCount(result.shape), `trial ${trial}`).toBe(result.data.length);
          // A flipped name or time stamp is no damage to the data; anything else must have been noticed.
          if (checked) expect(result.data, `trial ${trial}`).toEqual(truth.data);
        }
      }
      expect(errors).toBeGreaterThan(trials / 15);
    });
  }

  it('tar: random damage', async () => {
    const parts: [string, Uint8Array][] = [
      ['0.npy', encodeNpy(array)],
      ['1.npy', encodeNpy(array)],
    ];
    const bytes = encodeTar(parts);
    const random = createRandom(11);
    let errors = 0;
    for (let trial = 0; trial < 1500; trial++) {
      try {
        for await (const { content } of tarEntries(bytesSource(damaged(bytes, random), 'a.tar'))) {
          expect((await readAll(content)).length).toBe(content.size);
        }
      } catch (error) {
        if (!(error instanceof F2iError)) throw error;
        expect(error).toMatchObject({ code: 'FORMAT', file: 'a.tar' });
        errors++;
      }
    }
    expect(errors).toBeGreaterThan(100);
  });

  it('json: random damage', () => {
    const text = '{"a": [1, -2.5e3, "x\\n\\u00e9", true, null], "b": {"c": {}, "d": []}}';
    const random = createRandom(7);
    for (let trial = 0; trial < 5000; trial++) {
      const bytes = damaged(new TextEncoder().encode(text), random);
      const changed = new TextDecoder().decode(bytes);
      let ours: unknown;
      try {
        ours = parseJson(changed, 'a.json');
      } catch (error) {
        if (!(error instanceof F2iError)) throw error;
        // Whatever JSON.parse takes, we take, but for doubled keys.
        if (!/occurs twice/.test(error.message)) expect(() => JSON.parse(changed), changed).toThrow();
        continue;
      }
      expect(ours).toEqual(JSON.parse(changed));
    }
  });
});
