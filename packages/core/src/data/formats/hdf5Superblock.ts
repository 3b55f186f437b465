import { F2iError } from '../../error.ts';
import type { SyncSource } from '../syncSource.ts';

/** Of addresses of 8 bytes, which all but curiosities have. */
const LONGEST = 52;

/**
 * A file that is shorter than its superblock says (HDF5 File Format Specification 3.0, II.A: end of file address): the copy
 * was interrupted. The library says only that it cannot open it.
 *
 * @param start of the superblock
 * @throws FORMAT with both sizes
 */
export function refuseTruncated(source: SyncSource, start: number): void {
  if (source.size < start + LONGEST) return;
  const bytes = source.readSync(start, LONGEST);
  const version = bytes[8]!;
  const addresses = bytes[version < 2 ? 13 : 9];
  // Of version 1 four bytes more lie before the addresses.
  const at = [40, 44, 28, 28][version];
  if (addresses !== 8 || at === undefined) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const size = view.getBigUint64(at, true);
  if (size <= BigInt(source.size)) return;
  throw new F2iError('FORMAT', 'damaged, or not as HDF5 files are: it is cut short', {
    file: source.name,
    expected: `${size} bytes`,
    found: `${source.size}`,
  });
}
