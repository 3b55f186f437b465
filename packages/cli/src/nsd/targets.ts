import {
  decodeElements,
  detectFormat,
  F2iError,
  openHdf5,
  openSafetensors,
  pacer,
  type Rows,
  readNpyHeader,
  type Source,
  toFloat32,
} from '@fmri2image/core';
import { fileSource, fileSyncSource } from '@fmri2image/node';

/** Embeddings of pictures, which retrieval compares with. */
export interface Targets {
  readonly name: string;
  /** Rows of the file. */
  readonly rows: number;
  /** Of one picture. */
  readonly shape: readonly number[];
  /** [pictures, ...shape] of the pictures at these rows. */
  read(
    rows: readonly number[],
    options: { signal: AbortSignal; onProgress?: (share: number) => void },
  ): Promise<Rows & { readonly data: Float32Array }>;
  close(): void;
}

interface RowReader {
  readonly shape: readonly number[];
  row(index: number, signal: AbortSignal): Promise<Float32Array> | Float32Array;
  close?(): void;
}

/**
 * Opens tokens of pictures: npy, HDF5 or safetensors with one array, a row for each test picture in ascending order of
 * their number, or for each of the 73,000. Rows are read when they are asked for.
 *
 * @throws FORMAT for a file with several arrays, or of another format
 */
export async function openTargets(path: string, signal: AbortSignal): Promise<Targets> {
  const { shape, row, close } = await (/\.(h5|hdf5)$/i.test(path)
    ? hdf5Rows(path)
    : otherRows(await fileSource(path), signal));
  const [rows = 0, ...own] = shape;
  const size = own.reduce((product, extent) => product * extent, 1);
  return {
    name: path,
    rows,
    shape: own,
    async read(wanted, { signal: readSignal, onProgress }) {
      const data = new Float32Array(wanted.length * size);
      const breathe = pacer(readSignal, `reading ${path}`);
      for (const [i, index] of wanted.entries()) {
        data.set(await row(index, readSignal), i * size);
        onProgress?.((i + 1) / wanted.length);
        await breathe();
      }
      return { data, shape: [wanted.length, ...own] };
    },
    close: () => close?.(),
  };
}

async function hdf5Rows(path: string): Promise<RowReader> {
  const file = await openHdf5(fileSyncSource(path));
  const name = theOnly([...file.datasets.keys()], path);
  return {
    shape: file.datasets.get(name)!.shape,
    row: (index) => toFloat32(file.readRows(name, index, index + 1), { file: path, field: name }),
    close: () => file.close(),
  };
}

async function otherRows(source: Source, signal: AbortSignal): Promise<RowReader> {
  const format = await detectFormat(source, signal);
  if (format === 'npy') {
    const { shape, dtype, dataOffset, byteLength, littleEndian, fortranOrder } = await readNpyHeader(
      source,
      signal,
    );
    if (fortranOrder) {
      const hint = 'save it by rows (numpy.ascontiguousarray)';
      throw new F2iError('UNSUPPORTED', `the rows of a column-major array do not lie together; ${hint}`, {
        file: source.name,
      });
    }
    const bytes = byteLength / (shape[0] || 1);
    return {
      shape,
      async row(index, readSignal) {
        const own = await source.read(dataOffset + index * bytes, bytes, readSignal);
        const data = decodeElements(own, dtype, source.name, littleEndian);
        return toFloat32({ dtype, shape: [data.length], data }, { file: source.name });
      },
    };
  }
  if (format === 'safetensors') {
    const file = await openSafetensors(source, signal);
    const name = theOnly([...file.entries.keys()], source.name);
    const { shape, dtype } = file.entries.get(name)!;
    const size = shape.slice(1).reduce((product, extent) => product * extent, 1);
    return {
      shape,
      async row(index, readSignal) {
        const data = await file.readElements(name, index * size, (index + 1) * size, readSignal);
        return toFloat32({ dtype, shape: [size], data }, { file: source.name, field: name });
      },
    };
  }
  throw new F2iError('FORMAT', 'not embeddings of pictures', {
    file: source.name,
    expected: 'npy, HDF5 or safetensors',
    found: format,
  });
}

function theOnly(names: readonly string[], file: string): string {
  if (names.length === 1) return names[0]!;
  throw new F2iError('FORMAT', 'embeddings of pictures are one array', {
    file,
    expected: 'one array',
    found: names.join(', ') || 'none',
  });
}
