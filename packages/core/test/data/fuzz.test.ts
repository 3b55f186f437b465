import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  createRandom,
  elementCount,
  encodeNifti,
  encodeNpy,
  encodePng,
  encodeSafetensors,
  F2iError,
  inspectFile,
  type NdArray,
  parseJson,
  readArray,
} from '../../src/index.ts';

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

const files: { name: string; bytes: Uint8Array; checked: boolean }[] = [
  { name: 'a.npy', bytes: encodeNpy(array), checked: false },
  { name: 'stored.npz', bytes: zipSync({ 'a.npy': encodeNpy(array) }, { level: 0 }), checked: true },
  { name: 'deflated.npz', bytes: zipSync({ 'a.npy': encodeNpy(array) }, { level: 6 }), checked: true },
  { name: 'a.nii', bytes: nifti, checked: false },
  { name: 'a.nii.gz', bytes: gzipSync(nifti), checked: true },
  { name: 'a.tsv', bytes: table, checked: false },
  { name: 'a.tsv.gz', bytes: gzipSync(table), checked: true },
  { name: 'a.safetensors', bytes: encodeSafetensors([{ name: 'a', ...array }]), checked: false },
  { name: 'a.png', bytes: encodePng(picture), checked: true },
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
  for (const { name, bytes, checked } of files) {
    it(`${name}: every truncation`, async () => {
      for (let length = 0; length < bytes.length; length++) {
        const result = await attempt(bytes.subarray(0, length), name);
        // Of a text, whole lines may be missing unnoticed, and digits of the last number.
        if (name !== 'a.tsv') expect(result, `cut to ${length}`).toBeInstanceOf(F2iError);
      }
    });

    it(`${name}: 1500 kinds of damage`, async () => {
      const truth = await readArray(bytesSource(bytes, name));
      const random = createRandom(2024);
      let errors = 0;
      for (let trial = 0; trial < 1500; trial++) {
        const result = await attempt(damaged(bytes, random), name);
        if (result instanceof F2iError) errors++;
        else {
          expect(elementCount(result.shape), `trial ${trial}`).toBe(result.data.length);
          // A flipped name or time stamp is no damage to the data; anything else must have been noticed.
          if (checked) expect(result.data, `trial ${trial}`).toEqual(truth.data);
        }
      }
      expect(errors).toBeGreaterThan(100);
    });
  }

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
