import { F2iError } from '../../error.ts';
import { readNpyHeader } from '../formats/npy.ts';
import { detectFormat, readArray } from '../formats/read_array.ts';
import { openSafetensors } from '../formats/safetensors.ts';
import { toFloat32, toFloat64 } from '../ndarray.ts';
import type { Source } from '../source.ts';
import { syncOf } from '../syncSource.ts';
import { isWide } from './blocks.ts';
import { hdf5Matrix } from './hdf5.ts';
import type { MatrixSource } from './matrix.ts';
import { matrixInMemory } from './memory.ts';
import { packedMatrix } from './packed.ts';

export interface OpenMatrixOptions {
  /** Which array of a file of several; not needed where it holds just one. */
  array?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Opens an array of a file as a matrix: its first axis are rows (trials, pictures), all others columns. Rows of npy,
 * safetensors and HDF5 files are read when they are asked for; arrays of other files (npz, MATLAB, checkpoints, tables) are
 * read whole.
 *
 * @throws FORMAT for what is no array, USAGE where an array must be named, UNSUPPORTED for column-major npy files; all name
 *   the file
 */
export async function openMatrix(
  source: Source,
  { array, signal }: OpenMatrixOptions = {},
): Promise<MatrixSource> {
  const file = source.name;
  const format = await detectFormat(source, signal);
  const matrix = await open();
  if (matrix.rows > 0 && matrix.columns > 0) return matrix;
  matrix.close?.();
  throw new F2iError('FORMAT', 'the array is empty', {
    file: matrix.name,
    field: 'shape',
    expected: 'rows and columns',
    found: `[${[matrix.rows, ...matrix.shape].join(', ')}]`,
  });

  async function open(): Promise<MatrixSource> {
    switch (format) {
      case 'npy': {
        if (array !== undefined) {
          throw new F2iError('USAGE', 'an npy file has no named arrays', { file, field: array });
        }
        const { fortranOrder, shape, dtype, dataOffset, littleEndian } = await readNpyHeader(source, signal);
        if (fortranOrder && shape.length > 1) {
          const hint = 'save it by rows (numpy.ascontiguousarray)';
          throw new F2iError('UNSUPPORTED', `the rows of a column-major array do not lie together; ${hint}`, {
            file,
          });
        }
        return packedMatrix({
          source,
          offset: dataOffset,
          dtype,
          littleEndian,
          shape: atLeastRows(shape, file),
        });
      }
      case 'safetensors': {
        const { entries } = await openSafetensors(source, signal);
        const name = choose([...entries.keys()], array, file);
        const { offset, dtype, shape } = entries.get(name)!;
        return packedMatrix({
          source,
          name: `${file}: ${name}`,
          offset,
          dtype,
          shape: atLeastRows(shape, file, name),
        });
      }
      case 'hdf5':
        return hdf5Matrix(syncOf(source), (names) => choose(names, withoutRoot(names, array), file));
      case 'npz':
      case 'pth':
      case 'matlab':
      case 'table': {
        const whole = await readArray(source, { array, signal });
        const name = array === undefined ? file : `${file}: ${array}`;
        const place = { file, field: array };
        const data = isWide(whole.dtype) ? toFloat64(whole, place) : toFloat32(whole, place);
        const shape = atLeastRows(whole.shape, file, array);
        // What is empty is refused by the caller, with the words for all formats.
        if (data.length === 0) return packedMatrix({ source, name, offset: 0, dtype: 'f32', shape });
        return matrixInMemory({ data, shape: shape.length > 1 ? shape : [...shape, 1] }, name);
      }
      default:
        throw new F2iError('FORMAT', 'not a matrix', {
          file,
          expected: 'npy, HDF5, safetensors, npz, MATLAB, a checkpoint or a table',
          found: format,
        });
    }
  }
}

function atLeastRows(shape: readonly number[], file: string, field?: string): readonly number[] {
  if (shape.length > 0) return shape;
  throw new F2iError('FORMAT', 'one number is no matrix', { file, field, expected: 'at least one axis' });
}

/** `/a/b`, as h5py and HDFView print the names of HDF5 datasets. */
const withoutRoot = (names: readonly string[], array: string | undefined): string | undefined =>
  array === undefined || names.includes(array) ? array : array.replace(/^\/+/, '');

function choose(names: readonly string[], array: string | undefined, file: string): string {
  if (array !== undefined && names.includes(array)) return array;
  if (array === undefined && names.length === 1) return names[0]!;
  const some = names.length > 40 ? `${names.slice(0, 40).join(', ')}, ...` : names.join(', ');
  throw new F2iError(
    'USAGE',
    array === undefined && names.length > 0 ? 'name the array to read' : 'no such array',
    {
      file,
      field: array,
      expected: names.length === 0 ? 'at least one array' : `one of ${some}`,
    },
  );
}
