import type { Json } from '../json.ts';
import type { Source } from '../source.ts';
import { bytesSource } from '../source.ts';
import { syncOf } from '../syncSource.ts';
import { inspectGifti, openGifti } from './gifti/index.ts';
import { openHdf5 } from './hdf5.ts';
import { openMatlab } from './matlab/index.ts';
import { openNifti } from './nifti.ts';
import type { NiftiHeader } from './niftiHeader.ts';
import { type NpyHeader, readNpyHeader } from './npy.ts';
import { openNpz } from './npz.ts';
import { readPngHeader } from './png.ts';
import { openPth } from './pth/index.ts';
import { detectFormat, type FileFormat } from './read_array.ts';
import { openSafetensors } from './safetensors.ts';
import { readTable } from './table.ts';
import { tarEntries } from './tar.ts';

/** One array in a file. */
export interface ArrayDescription {
  readonly name?: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** What a file holds, read from its headers; plain data, ready to be printed or turned into JSON. */
export interface FileDescription {
  readonly file: string;
  readonly format: FileFormat;
  readonly bytes: number;
  readonly arrays: readonly ArrayDescription[];
  /** Details of the format: affine, repetition time, column names, metadata. */
  readonly details: Readonly<Record<string, Json>>;
  /** What is odd about it, in words. */
  readonly warnings: readonly string[];
}

/** What is read of a file, each format in its own way. */
interface Described {
  readonly arrays: readonly ArrayDescription[];
  readonly details?: Readonly<Record<string, Json>>;
  readonly warnings?: readonly string[];
}

/** Describes a file without reading more of it than its headers (tables are read as a whole). Throws FORMAT. */
export async function inspectFile(source: Source, signal?: AbortSignal): Promise<FileDescription> {
  const format = await detectFormat(source, signal);
  const { arrays, details = {}, warnings = [] } = await DESCRIBE[format](source, signal);
  return { file: source.name, format, bytes: source.size, arrays, details, warnings };
}

const DESCRIBE: Readonly<Record<FileFormat, (source: Source, signal?: AbortSignal) => Promise<Described>>> = {
  async npy(source, signal) {
    const header = await readNpyHeader(source, signal);
    return { arrays: [{ dtype: header.dtype, shape: header.shape }], details: npyDetails(header) };
  },

  async npz(source, signal) {
    const npz = await openNpz(source, signal);
    const arrays: ArrayDescription[] = [];
    for (const name of npz.names) {
      const entry = npz.entry(name);
      const start = await npz.zip.peek(entry, signal);
      const file = `${source.name}/${entry.name}`;
      // The header checks itself against the size; of the data, only that is known here.
      const whole = { ...bytesSource(start, file), size: entry.size };
      const { dtype, shape } = await readNpyHeader(whole, signal);
      arrays.push({ name, dtype, shape });
    }
    const methods = [...new Set(npz.zip.entries.map(({ method }) => method))];
    return { arrays, details: { compression: methods.join(', ') || 'none' } };
  },

  async safetensors(source, signal) {
    const { entries, metadata } = await openSafetensors(source, signal);
    const details = metadata.size > 0 ? { metadata: Object.fromEntries(metadata) } : {};
    return { arrays: arraysOf(entries), details };
  },

  async pth(source, signal) {
    const { entries, values } = await openPth(source, signal);
    return { arrays: arraysOf(entries), details: Object.fromEntries(values) };
  },

  async hdf5(source) {
    const file = await openHdf5(syncOf(source));
    try {
      const filters = [...new Set([...file.datasets.values()].flatMap((dataset) => dataset.filters))];
      const details = { compression: filters.join(', ') || 'none', ...notRead(file.others) };
      return { arrays: arraysOf(file.datasets), details };
    } finally {
      file.close();
    }
  },

  async matlab(source, signal) {
    const file = await openMatlab(source, signal);
    try {
      const listed = [...file.arrays.values()].slice(0, LISTED);
      const unlisted = file.arrays.size - listed.length;
      return {
        arrays: listed.map(({ name, className, shape, complex, sparse }) => ({
          name,
          dtype: `${complex ? 'complex ' : ''}${sparse ? 'sparse ' : ''}${className}`,
          shape,
        })),
        details: {
          version: file.version,
          ...(file.containers.size > 0 ? { containers: firstOf(file.containers) } : {}),
          ...notRead(file.others),
        },
        warnings: unlisted > 0 ? [`${unlisted} further arrays are not listed`] : [],
      };
    } finally {
      file.close();
    }
  },

  async gifti(source, signal) {
    return inspectGifti(await openGifti(source, signal));
  },

  async tar(source, signal) {
    // Samples of webdatasets share what stands before the first point of their files' names.
    const kinds = new Map<string, number>();
    const samples = new Set<string>();
    let files = 0;
    for await (const { name } of tarEntries(source, signal)) {
      files++;
      const point = name.indexOf('.', name.lastIndexOf('/') + 1);
      samples.add(point < 0 ? name : name.slice(0, point));
      const kind = point < 0 ? '(none)' : name.slice(point + 1);
      if (kinds.size < LISTED || kinds.has(kind)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    return { arrays: [], details: { files, samples: samples.size, kinds: Object.fromEntries(kinds) } };
  },

  async nifti(source, signal) {
    const { header } = await openNifti(source, signal);
    const { dtype, shape, warnings } = header;
    return { arrays: [{ dtype, shape }], details: niftiDetails(header), warnings };
  },

  async png(source, signal) {
    const { width, height, depth, colour, interlaced } = await readPngHeader(source, signal);
    return {
      arrays: [{ dtype: `${depth}-bit ${colour}`, shape: [height, width] }],
      details: { interlaced },
    };
  },

  async table(source, signal) {
    const { columns, rowCount, hasHeader, delimiter } = await readTable(source, { signal });
    return {
      arrays: [{ dtype: 'text', shape: [rowCount, columns.length] }],
      details: { delimiter, header: hasHeader, ...(hasHeader ? { columns: [...columns] } : {}) },
    };
  },
};

const arraysOf = (entries: ReadonlyMap<string, Required<ArrayDescription>>): ArrayDescription[] =>
  [...entries.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape }));

/** Names that are listed of a file of very many. */
const LISTED = 1000;

const firstOf = (words: ReadonlyMap<string, string>): Record<string, Json> =>
  Object.fromEntries([...words].slice(0, LISTED));

/** What is in a file beside arrays of numbers, and why it is not read. */
const notRead = (others: ReadonlyMap<string, string>): Record<string, Json> =>
  others.size > 0 ? { notRead: firstOf(others) } : {};

function npyDetails(header: NpyHeader): Record<string, Json> {
  return {
    version: header.version,
    byteOrder: header.littleEndian ? 'little-endian' : 'big-endian',
    order: header.fortranOrder ? 'Fortran' : 'C',
  };
}

function niftiDetails(header: NiftiHeader): Record<string, Json> {
  return {
    version: header.version,
    byteOrder: header.littleEndian ? 'little-endian' : 'big-endian',
    compressed: header.compressed,
    volumes: header.volumes,
    repetitionTimeSeconds: header.tr ?? null,
    spacing: [...header.spacing],
    spaceUnit: header.spaceUnit,
    timeUnit: header.timeUnit,
    slope: header.slope,
    intercept: header.intercept,
    voxelOffset: header.voxelOffset,
    affine: header.affine.map((row) => [...row]),
    affineFrom: header.affineFrom,
    sformCode: header.sformCode,
    qformCode: header.qformCode,
    intentCode: header.intentCode,
    intentName: header.intentName,
    description: header.description,
    extensions: header.extensions.map(({ code, bytes }) => ({ code, bytes })),
  };
}
