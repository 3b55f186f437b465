// Sizes as users write them: exactly the unit that they wrote.
import { bytesInWords } from '@fmri2image/core';
import { expect, it } from 'vitest';
import { sizeInBytes } from '../src/sizes.ts';

it.each([
  ['512', 512 * 2 ** 20],
  ['3GB', 3e9],
  ['3 GB', 3e9],
  ['3GiB', 3 * 2 ** 30],
  ['500MB', 5e8],
  ['512MiB', 2 ** 29],
  ['1.5GiB', 1.5 * 2 ** 30],
  ['0.1TB', 1e11],
])('%s is %d bytes', (text, bytes) => {
  expect(sizeInBytes(text)).toBe(bytes);
});

it.each(['', 'GB', '3gb', '3G', '1MB', '0', '-3GB', '1.5', '3 G B', '3GB!', '1e9', 'lots', '9999999TB'])(
  '%s is refused',
  (text) => {
    expect(() => sizeInBytes(text)).toThrow(/GiB/);
  },
);

it('letters that some programs take for powers of ten and others for powers of two are asked back', () => {
  const both = /may mean 4GB \(powers of ten\) or 4GiB \(powers of two\)/;
  for (const text of ['4G', '4g', '4gb', '4Gb']) expect(() => sizeInBytes(text)).toThrow(both);
  for (const text of ['4gib', '4Gi']) expect(() => sizeInBytes(text)).toThrow('is written 4GiB');
});

it.each([
  [800, '0.8 kB'],
  [512 * 2 ** 20, '0.54 GB'],
  [3e9, '3.00 GB'],
  [38.6e6, '38.6 MB'],
])('%d bytes are printed as %s, in powers of ten', (bytes, words) => {
  expect(bytesInWords(bytes)).toBe(words);
});
