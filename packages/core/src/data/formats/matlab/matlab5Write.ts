import { F2iError } from '../../../error.ts';
import { encodeElements } from '../../ndarray.ts';
import { joinBytes } from '../../source.ts';
import { MI } from './types.ts';

const HEADER = 128;
const VERSION = 0x0100;
const DOUBLE = 6;

/**
 * The bytes of a `.mat` file of level 5, uncompressed (as `save -v6` writes): matrices of doubles.
 *
 * @param matrices row-major, [rows, columns] each
 */
export function encodeMatlab5(
  matrices: Readonly<
    Record<string, { readonly shape: readonly [number, number]; readonly data: Float64Array }>
  >,
): Uint8Array {
  const header = new Uint8Array(HEADER).fill(0x20, 0, 116);
  header.set(new TextEncoder().encode('MATLAB 5.0 MAT-file, written by fmri2image'));
  const view = new DataView(header.buffer);
  view.setUint16(124, VERSION, true);
  // 'MI' as a number: read in the other byte order it is 'IM'.
  view.setUint16(126, 0x4d49, true);
  const variables = Object.entries(matrices).map(([name, { shape, data }]) => {
    const [rows, columns] = shape;
    if (rows * columns !== data.length || !/^[a-zA-Z]\w{0,62}$/.test(name)) {
      throw new F2iError('INVALID_ARGUMENT', 'no matrix that can be written', {
        field: name,
        expected: `a name of letters, and ${rows * columns} numbers for [${shape.join(', ')}]`,
        found: `${data.length}`,
      });
    }
    const byColumns = new Float64Array(data.length);
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) byColumns[c * rows + r] = data[r * columns + c]!;
    return element(
      MI.MATRIX,
      joinBytes([
        element(MI.UINT32, encodeElements(Uint32Array.of(DOUBLE, 0))),
        element(MI.INT32, encodeElements(Int32Array.of(rows, columns))),
        element(MI.INT8, new TextEncoder().encode(name)),
        element(MI.DOUBLE, encodeElements(byColumns)),
      ]),
    );
  });
  return joinBytes([header, ...variables]);
}

/** Type, number of bytes, content, padded to 8 bytes. */
function element(type: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + 8 * Math.ceil(content.length / 8));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, content.length, true);
  bytes.set(content, 8);
  return bytes;
}
