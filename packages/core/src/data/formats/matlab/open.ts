import { F2iError } from '../../../error.ts';
import type { Source } from '../../source.ts';
import type { Matlab } from './matlab.ts';
import { openMatlab5 } from './matlab5.ts';
import { openMatlab73 } from './matlab73.ts';

/** Text, what only MATLAB uses, version, byte order. */
const HEADER = 128;

/** Whether the bytes begin as files of MATLAB's versions 5 to 7.3 do. */
export function isMatlab(start: Uint8Array): boolean {
  return versionOf(start) !== undefined;
}

function versionOf(start: Uint8Array): { version: number; littleEndian: boolean } | undefined {
  if (start.length < HEADER) return undefined;
  const order = String.fromCharCode(start[126]!, start[127]!);
  if (order !== 'IM' && order !== 'MI') return undefined;
  const littleEndian = order === 'IM';
  const version = new DataView(start.buffer, start.byteOffset).getUint16(124, littleEndian);
  return version === 0x100 || version === 0x200 ? { version, littleEndian } : undefined;
}

/**
 * Opens a `.mat` file: level 5 ("MAT-File Format", The MathWorks: what `-v6` and `-v7` write) or 7.3 (HDF5). Nothing in
 * it is run, and objects are named, never made.
 *
 * @throws FORMAT for what is no such file, or is damaged; UNSUPPORTED for level 4, and for 7.3 where the source cannot be
 *   read synchronously
 */
export async function openMatlab(source: Source, signal?: AbortSignal): Promise<Matlab> {
  const start = await source.read(0, Math.min(HEADER, source.size), signal);
  const found = versionOf(start);
  if (found?.version === 0x100) return openMatlab5(source, found.littleEndian, signal);
  if (found) return openMatlab73(source);
  if (isLevel4(start)) {
    throw new F2iError('UNSUPPORTED', 'files of MATLAB 4 are not read; save it again with -v7', {
      file: source.name,
      expected: 'version 5 or 7.3',
    });
  }
  throw new F2iError('FORMAT', 'not a file of MATLAB', {
    file: source.name,
    field: 'header',
    expected: 'version 5 or 7.3 and the byte order IM or MI at byte 124',
    found:
      [...start.subarray(124, 128)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ') || 'nothing',
  });
}

/** Level 4 has no mark: its first matrix begins with a type of four digits (MOPT), extents, and whether it is complex. */
function isLevel4(start: Uint8Array): boolean {
  if (start.length < 20) return false;
  const view = new DataView(start.buffer, start.byteOffset);
  return [true, false].some((littleEndian) => {
    const [type, rows, columns, complex, letters] = [0, 4, 8, 12, 16].map((at) =>
      view.getInt32(at, littleEndian),
    );
    const machine = Math.floor(type! / 1000);
    const isType = type! >= 0 && machine <= 4 && Math.floor(type! / 100) % 10 === 0 && type! % 10 <= 2;
    const isName = letters! >= 1 && letters! <= 256;
    return isType && rows! >= 0 && columns! >= 0 && (complex === 0 || complex === 1) && isName;
  });
}
