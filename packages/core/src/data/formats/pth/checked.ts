import { F2iError } from '../../../error.ts';
import { checkRange, type Source } from '../../source.ts';
import { crc32 } from '../crc32.ts';

/**
 * A file of an archive, read in place. Whoever reads it whole, in order, has its CRC-32 checked before the last bytes are
 * handed out; of a part, nothing can be said.
 */
export function checkedSource(source: Source, expected: number): Source {
  const { name, size } = source;
  let at = 0;
  let sum = 0;
  return {
    name,
    size,
    async read(offset, length, signal) {
      checkRange(source, offset, length);
      const bytes = await source.read(offset, length, signal);
      if (offset === 0) [at, sum] = [0, 0];
      if (offset !== at || length === 0) return bytes;
      at += length;
      sum = crc32(bytes, sum);
      if (at === size && sum !== expected) {
        throw new F2iError('FORMAT', 'the data are damaged: their checksum differs', {
          file: name,
          field: 'CRC-32',
          expected: hex(expected),
          found: hex(sum),
        });
      }
      return bytes;
    },
  };
}

const hex = (value: number) => value.toString(16).padStart(8, '0');
