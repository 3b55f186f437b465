import type { RandomNormalAttributes } from '../ops/random_normal.ts';
import type { ReferenceKernel } from './kernel.ts';

export const randomNormal: ReferenceKernel<RandomNormalAttributes> = (_, [y], attributes) => {
  const { dtype, seedLow, seedHigh, offset } = attributes;
  for (let index = 0; index < y!.data.length; index++) {
    const element = offset + index;
    const block = Math.floor(element / 4);
    const words = philox([block % 2 ** 32, Math.floor(block / 2 ** 32), 0, 0], [seedLow, seedHigh]);
    const lane = element % 4;
    if (dtype === 'i32') {
      y!.data[index] = words[lane]! | 0;
      continue;
    }
    const [u, v] = [lane & 2, (lane & 2) + 1].map((word) => (Math.floor(words[word]! / 512) + 0.5) / 2 ** 23);
    const radius = Math.sqrt(-2 * Math.log(u!));
    const angle = 2 * Math.PI * v!;
    y!.data[index] = radius * (lane % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
  }
};

type Words = readonly [number, number, number, number];

/** Philox4x32-10 (Salmon et al. 2011, section 3.3): four words from a counter and a key, all of 32 bits, unsigned. */
export function philox(counter: Words, key: readonly [number, number]): Words {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = product(0xd2511f53, c0);
    const [high1, low1] = product(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** High and low word of a product of 32-bit words. */
function product(a: number, b: number): [high: number, low: number] {
  // A 16-bit half times a 32-bit word is exact in float64.
  const [top, bottom] = [(a >>> 16) * b, (a & 0xffff) * b];
  const middle = (top % 2 ** 16) * 2 ** 16 + bottom;
  return [Math.floor(top / 2 ** 16) + Math.floor(middle / 2 ** 32), Math.imul(a, b) >>> 0];
}
