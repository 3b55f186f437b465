import { F2iError } from '../../error.ts';
import { joinBytes, type Source, sliceSource } from '../source.ts';

/** A file in a tar archive. */
export interface TarEntry {
  /** Path in the archive. */
  readonly name: string;
  /** Its bytes, where they lie. */
  readonly content: Source;
}

const BLOCK = 512;
/** Headers are read this many bytes at once: small files lie close together. */
const READ_AHEAD = 2 ** 20;
/** Far above any name. */
const LONGEST_NAME = 4096;

/**
 * The files of a tar archive (ustar, and the long names of GNU tar and of pax), in order. Folders and links are passed
 * over. Names are for finding things: nothing is ever written by them.
 *
 * @throws FORMAT for what is no tar archive, or is cut off: within a file, or between files, which an archive without the
 *   blocks of zeros at its end was (a copy that was interrupted loses samples otherwise unnoticed)
 */
export async function* tarEntries(
  source: Source,
  signal?: AbortSignal,
): AsyncGenerator<TarEntry, void, void> {
  let ahead: { at: number; bytes: Uint8Array } = { at: 0, bytes: new Uint8Array(0) };
  const bytesAt = async (at: number, length: number): Promise<Uint8Array> => {
    if (at < ahead.at || at + length > ahead.at + ahead.bytes.length) {
      const size = Math.max(length, Math.min(READ_AHEAD, source.size - at));
      ahead = { at, bytes: await source.read(at, size, signal) };
    }
    return ahead.bytes.subarray(at - ahead.at, at - ahead.at + length);
  };
  let longName: string | undefined;
  let last: string | undefined;
  for (let at = 0; ; ) {
    const place = { file: source.name, field: `header at byte ${at}` };
    if (at + BLOCK > source.size) {
      throw new F2iError('FORMAT', 'the archive was cut off', {
        ...place,
        expected: 'another file, or two blocks of zeros at the end',
        found: `${source.size} bytes, which end after ${last ?? 'nothing'}`,
      });
    }
    const header = await bytesAt(at, BLOCK);
    // Two blocks of zeros end the archive; one is enough to know.
    if (header.every((byte) => byte === 0)) return;
    checkSum(header, place);
    const size = octal(header.subarray(124, 136), place);
    const type = String.fromCharCode(header[156]!);
    const start = at + BLOCK;
    if (start + size > source.size) {
      throw new F2iError('FORMAT', `the archive ends within ${longName ?? nameOf(header)}`, {
        ...place,
        expected: `${size} bytes`,
        found: `${source.size - start}`,
      });
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
    if ('Lx'.includes(type)) {
      if (size > LONGEST_NAME) throw new F2iError('FORMAT', 'a name beyond any use', place);
      const text = new TextDecoder().decode(await bytesAt(start, size));
      longName = type === 'L' ? text.replace(/\0.*$/s, '') : (paxPath(text) ?? longName);
    } else {
      const name = longName ?? nameOf(header);
      longName = undefined;
      last = name;
      if (type === '0' || type === '\0') {
        yield { name, content: sliceSource(source, start, size, `${source.name}/${name}`) };
      }
    }
  }
}

/** Whether the bytes begin as the archives do that tar, GNU tar and Python write. */
export function isTar(start: Uint8Array): boolean {
  return start.length >= BLOCK && latin(start.subarray(257, 262)) === 'ustar';
}

/** The sum of all bytes of the header, its own field as blanks. */
function checkSum(header: Uint8Array, place: { file: string; field: string }): void {
  const stated = octal(header.subarray(148, 156), place);
  let sum = 8 * 32;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i]!;
  if (sum === stated) return;
  throw new F2iError('FORMAT', 'not a tar archive: the checksum of a header differs', {
    ...place,
    expected: `${stated}`,
    found: `${sum}`,
  });
}

function octal(field: Uint8Array, place: { file: string; field: string }): number {
  const text = latin(field).trim();
  if (/^[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  // Sizes from 8 GiB on, as GNU tar writes them: a number of base 256.
  if (field[0] === 0x80) {
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
    if (Number.isSafeInteger(value)) return value;
  }
  const expected = 'a number in octal digits';
  throw new F2iError('FORMAT', 'not a tar archive', { ...place, expected, found: JSON.stringify(text) });
}

function nameOf(header: Uint8Array): string {
  const name = latin(header.subarray(0, 100));
  const isUstar = latin(header.subarray(257, 262)) === 'ustar';
  const prefix = isUstar && header[262] === 0 ? latin(header.subarray(345, 500)) : '';
  return prefix ? `${prefix}/${name}` : name;
}

/** Records of pax: `LENGTH KEY=VALUE\n`. */
function paxPath(text: string): string | undefined {
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(text)?.[1];
}

/** Up to the first NUL. */
function latin(field: Uint8Array): string {
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** The bytes of a tar archive (ustar) of files whose names have at most 100 bytes. */
export function encodeTar(files: Iterable<readonly [name: string, content: Uint8Array]>): Uint8Array {
  const blocks: Uint8Array[] = [];
  const text = new TextEncoder();
  for (const [name, content] of files) {
    const header = new Uint8Array(BLOCK);
    const put = (at: number, value: string) => header.set(text.encode(value), at);
    if (text.encode(name).length > 100) throw new F2iError('UNSUPPORTED', 'a long name', { field: name });
    put(0, name);
    put(100, '0000644\0');
    put(108, '0000000\0');
    put(116, '0000000\0');
    put(124, `${content.length.toString(8).padStart(11, '0')}\0`);
    put(136, '00000000000\0');
    put(148, '        ');
    put(156, '0');
    put(257, 'ustar\x0000');
    const sum = header.reduce((total, byte) => total + byte, 0);
    put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
    const padded = new Uint8Array(Math.ceil(content.length / BLOCK) * BLOCK);
    padded.set(content);
    blocks.push(header, padded);
  }
  blocks.push(new Uint8Array(2 * BLOCK));
  return joinBytes(blocks);
}
