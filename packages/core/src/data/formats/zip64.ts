import { F2iError } from '../../error.ts';
import { checkRange, type Source } from '../source.ts';

/** Lengths of the three records that end an archive (PKWARE APPNOTE 4.3.14 to 4.3.16), without a comment. */
const [ZIP64_END, LOCATOR, END] = [56, 20, 22];

/**
 * Some writers, PyTorch's among them, end every archive with the records of zip64, also where the plain record has room
 * for all it says. zip.js reads them only if the plain record points to them, and takes them for stray bytes otherwise.
 * So here it does point to them: the source that is given back says so in the four bytes of the directory's offset. The
 * offset that stood there must agree, as zip.js checks of all else.
 */
export async function announceZip64(source: Source, signal?: AbortSignal): Promise<Source> {
  const length = ZIP64_END + LOCATOR + END;
  if (source.size < length) return source;
  const bytes = await source.read(source.size - length, length, signal);
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const signatures = [0, ZIP64_END, ZIP64_END + LOCATOR].map((at) => view.getUint32(at, true));
  const stated = view.getUint32(ZIP64_END + LOCATOR + 16, true);
  if (signatures.join() !== [0x06064b50, 0x07064b50, 0x06054b50].join() || stated === 0xffffffff)
    return source;
  const directory = view.getBigUint64(48, true);
  if (directory !== BigInt(stated)) {
    throw new F2iError('FORMAT', 'a damaged zip archive', {
      file: source.name,
      field: 'directory offset',
      expected: `${stated}, as at its end`,
      found: `${directory} in the records of zip64`,
    });
  }
  const place = source.size - 6;
  return {
    name: source.name,
    size: source.size,
    async read(offset, count, readSignal) {
      checkRange(source, offset, count);
      const found = await source.read(offset, count, readSignal);
      if (offset + count <= place || offset >= place + 4) return found;
      const changed = found.slice();
      changed.fill(0xff, Math.max(0, place - offset), Math.min(count, place + 4 - offset));
      return changed;
    },
  };
}
