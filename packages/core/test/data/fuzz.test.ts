import { deflateSync, gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  elementCount,
  encodeHdf5,
  encodeNifti,
  encodeNpy,
  encodePng,
  encodeSafetensors,
  encodeTar,
  F2iError,
  inspectFile,
  loadStudy,
  memoryFolder,
  type NdArray,
  parseJson,
  readAll,
  readArray,
  tarEntries,
} from '../../src/index.ts';
import { damaged, fuzzRandom, outcomeOf } from './helpers/fuzz.ts';
import { CLASS, MatWriter } from './helpers/matlab_file.ts';
import { matlab73File } from './helpers/matlab73_file.ts';

/**
 * Damaged files of every format: truncations (each, of small files), seeded damage of every kind, and names that lie. A
 * reader must throw an F2iError that names the file, or give an array that is whole; where the format has checksums, only
 * the true content. More cases by hand: F2I_FUZZ=100 F2I_FUZZ_SEED=1 multiplies them.
 */
const times = Number(process.env.F2I_FUZZ ?? 1);
const seed = Number(process.env.F2I_FUZZ_SEED ?? 2024);
const thousands = { timeout: 300_000 * times };
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
const u64 = (...extents: number[]): NdArray => ({
  dtype: 'u64',
  shape: [extents.length],
  data: BigUint64Array.from(extents, BigInt),
});
const single = { className: 'single', array };
const matlab73 = await matlab73File({
  cell: { cell: [single, { cell: [], shape: [0, 0] }, undefined], shape: [3, 1] },
  roi: {
    structs: [
      {
        betas: { className: 'double', complex: { dtype: 'f64', shape: [1, 1], data: Float64Array.of(1, 2) } },
      },
    ],
    shape: [1, 1],
  },
  sparse: {
    sparse: { data: { dtype: 'f64', shape: [1], data: Float64Array.of(3) }, ir: u64(0), jc: u64(0, 1) },
    rows: 2,
    className: 'double',
  },
});

interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Whether checksums tell damage of the content. */
  readonly checked?: boolean;
  /** Which array to read, where there are several. */
  readonly array?: string | undefined;
  /** Every how manieth truncation, and how many kinds of damage. */
  readonly step?: number;
  readonly trials?: number;
}

const files: Case[] = [
  { name: 'a.npy', bytes: encodeNpy(array) },
  {
    name: 'stored.npz',
    bytes: zipSync({ 'a.npy': encodeNpy(array) }, { level: 0 }),
    checked: true,
    step: 3,
    trials: 200,
  },
  {
    name: 'deflated.npz',
    bytes: zipSync({ 'a.npy': encodeNpy(array) }, { level: 6 }),
    checked: true,
    step: 3,
    trials: 200,
  },
  { name: 'a.nii', bytes: nifti },
  { name: 'a.nii.gz', bytes: gzipSync(nifti), checked: true, step: 3, trials: 200 },
  { name: 'a.tsv', bytes: table, step: 9, trials: 400 },
  { name: 'a.tsv.gz', bytes: gzipSync(table), checked: true, step: 7, trials: 250 },
  { name: 'a.safetensors', bytes: encodeSafetensors([{ name: 'a', ...array }]) },
  { name: 'a.png', bytes: encodePng(picture), checked: true },
  { name: 'a.mat', bytes: mat.file(struct), step: 3, trials: 300 },
  { name: 'compressed.mat', bytes: mat.file(mat.compressed(struct)), checked: true, step: 3, trials: 250 },
  { name: 'ascii.gii', bytes: gifti('ASCII', [...values].join(' ')), step: 7, trials: 200 },
  { name: 'a.gii', bytes: gifti('Base64Binary', bytesOfValues.toString('base64')), step: 5, trials: 200 },
  {
    name: 'packed.gii',
    bytes: gifti('GZipBase64Binary', deflateSync(bytesOfValues).toString('base64')),
    step: 5,
    trials: 200,
  },
  { name: 'a.h5', bytes: await encodeHdf5(hdf5), step: 61, trials: 150 },
  { name: '7.3.mat', bytes: matlab73, array: 'cell{1}', step: 211, trials: 150 },
];

async function attempt({ name, array }: Case, bytes: Uint8Array): Promise<NdArray | F2iError> {
  const inspected = await outcomeOf(() => inspectFile(bytesSource(bytes, name)));
  const read = await outcomeOf(() => readArray(bytesSource(bytes, name), { array }));
  for (const error of [inspected, read]) {
    if (!(error instanceof F2iError)) continue;
    expect(error.file ?? '', error.message).toContain(name);
    expect(['FORMAT', 'UNSUPPORTED', 'USAGE'], error.message).toContain(error.code);
  }
  if (!(read instanceof F2iError)) expect(elementCount(read.shape)).toBe(read.data.length);
  return read;
}

describe('damaged files', thousands, () => {
  for (const file of files) {
    const { name, bytes, checked = false, step = 1, trials = 400 } = file;
    it(`${name}: ${step === 1 ? 'every truncation' : `one in ${step} truncations`}`, async () => {
      for (let length = 0; length < bytes.length; length += step) {
        const result = await attempt(file, bytes.subarray(0, length));
        // Of a text, whole lines may be missing unnoticed, and digits of the last number.
        if (name !== 'a.tsv') expect(result, `cut to ${length}`).toBeInstanceOf(F2iError);
      }
    });

    it(`${name}: ${trials * times} kinds of damage`, async () => {
      const truth = (await attempt(file, bytes)) as NdArray;
      expect(truth).not.toBeInstanceOf(F2iError);
      const random = fuzzRandom(seed);
      let errors = 0;
      for (let trial = 0; trial < trials * times; trial++) {
        const result = await attempt(file, damaged(bytes, random));
        if (result instanceof F2iError) errors++;
        // A flipped name or time stamp is no damage to the data; anything else must have been noticed.
        else if (checked) expect(result.data, `trial ${trial}`).toEqual(truth.data);
      }
      expect(errors).toBeGreaterThan((trials * times) / 20);
    });
  }

  it('under the name of another format: what they are, or an error', async () => {
    for (const { bytes, array, name } of files) {
      const truth = (await readArray(bytesSource(bytes, name), { array })).data;
      for (const other of [
        ...files,
        { name: 'x.pth' },
        { name: 'x.tar' },
        { name: 'x.json' },
        { name: 'x' },
      ]) {
        const result = await attempt({ name: `not-${other.name}`, bytes, array }, bytes);
        // Tables have no mark: under the names of some formats they are broken files of those.
        if (!(result instanceof F2iError)) expect(result.data, `${name} as ${other.name}`).toEqual(truth);
        // But for tables and safetensors, which have no mark, the content says what a file is.
        else if (other.name === 'x') expect(name, result.message).toMatch(/^a\.(tsv|safetensors)/);
      }
    }
  });

  it('tar: 400 kinds of damage', async () => {
    const parts: [string, Uint8Array][] = [
      ['0.npy', encodeNpy(array)],
      ['1.npy', encodeNpy(array)],
    ];
    const bytes = encodeTar(parts);
    const random = fuzzRandom(seed);
    let errors = 0;
    for (let trial = 0; trial < 400 * times; trial++) {
      const damage = damaged(bytes, random);
      const result = await outcomeOf(async () => {
        for await (const { content } of tarEntries(bytesSource(damage, 'a.tar'))) {
          expect((await readAll(content)).length).toBe(content.size);
        }
      });
      if (!(result instanceof F2iError)) continue;
      expect(result).toMatchObject({ code: 'FORMAT', file: 'a.tar' });
      errors++;
    }
    expect(errors).toBeGreaterThan(50 * times);
  });

  it('studies: 300 kinds of damage to the manifest, the trials and the voxels', async () => {
    const text = (content: string) => new TextEncoder().encode(content);
    const parts: Record<string, Uint8Array> = {
      'study.json': text(
        JSON.stringify({
          format: 'fmri2image-study',
          version: 1,
          name: 's',
          indexBase: 0,
          voxels: { file: 'betas.npy', rows: 'trials', orientation: 'rows-by-voxels' },
          trials: { file: 'trials.tsv' },
          stimuli: { file: 'stimuli.npy', axes: ['stimulus', 'x', 'y'], range: [0, 255] },
          runs: [{ name: 'one', first: 0, last: 5, session: 's1', split: 'train' }],
        }),
      ),
      'trials.tsv': text('stimulus\n0\n1\n2\n0\n1\n2\n'),
      'betas.npy': encodeNpy(array),
      'stimuli.npy': encodeNpy({
        dtype: 'u8',
        shape: [3, 2, 2],
        data: Uint8Array.from({ length: 12 }, (_, i) => i),
      }),
    };
    const load = (changed: Record<string, Uint8Array>) =>
      outcomeOf(() => loadStudy(memoryFolder(Object.entries({ ...parts, ...changed }), 'lab'), 'study.json'));
    expect(await load({})).not.toBeInstanceOf(F2iError);
    const random = fuzzRandom(seed);
    let errors = 0;
    for (let trial = 0; trial < 300 * times; trial++) {
      const file = Object.keys(parts)[random.integer(4)]!;
      const result = await load({ [file]: damaged(parts[file]!, random) });
      if (!(result instanceof F2iError)) continue;
      expect(result.file, result.message).toMatch(/^lab\//);
      errors++;
    }
    expect(errors).toBeGreaterThan(100 * times);
  });

  it('json: 1000 kinds of damage', () => {
    const text = '{"a": [1, -2.5e3, "x\\n\\u00e9", true, null], "b": {"c": {}, "d": []}}';
    const random = fuzzRandom(seed);
    for (let trial = 0; trial < 1000 * times; trial++) {
      const bytes = damaged(new TextEncoder().encode(text), random);
      const changed = new TextDecoder().decode(bytes);
      let ours: unknown;
      try {
        ours = parseJson(changed, 'a.json');
      } catch (error) {
        if (!(error instanceof F2iError)) throw error;
        // Whatever JSON.parse takes, we take, but for doubled keys and for numbers that it makes infinite.
        if (!/occurs twice|out of range/.test(error.message))
          expect(() => JSON.parse(changed), changed).toThrow();
        continue;
      }
      expect(ours).toEqual(JSON.parse(changed));
    }
  });
});
