import type { Json } from '../json.ts';
import type { Source } from '../source.ts';
import { bytesSource } from '../source.ts';
import { syncOf } from '../syncSource.ts';
import { inspectGifti, openGifti } from './gifti/index.ts';
import { openHdf5 } from './hdf5.ts';
import { openMatlab } from './matlab/index.ts';
import { openNifti } from './nifti.ts';
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

/** Describes a file without reading more of it than its headers (tables are read as a whole). Throws FORMAT. */
export async function inspectFile(source: Source, signal?: AbortSignal): Promise<FileDescription> {
  const format = await detectFormat(source, signal);
  const describe = (
    arrays: ArrayDescription[],
    details: Record<string, Json> = {},
    warnings: readonly string[] = [],
  ): FileDescription => ({ file: source.name, format, bytes: source.size, arrays, details, warnings });

  switch (format) {
    case 'npy': {
      const header = await readNpyHeader(source, signal);
      return describe([{ dtype: header.dtype, shape: header.shape }], npyDetails(header));
    }
    case 'npz': {
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
      return describe(arrays, { compression: methods.join(', ') || 'none' });
    }
    case 'safetensors': {
      const { entries, metadata } = await openSafetensors(source, signal);
      const arrays = [...entries.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape }));
      return describe(arrays, metadata.size > 0 ? { metadata: Object.fromEntries(metadata) } : {});
    }
    case 'pth': {
      const { entries, values } = await openPth(source, signal);
      const arrays = [...entries.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape }));
      return describe(arrays, Object.fromEntries(values));
    }
    case 'hdf5': {
      const file = await openHdf5(syncOf(source));
      try {
        const arrays = [...file.datasets.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape }));
        const filters = [...new Set([...file.datasets.values()].flatMap((dataset) => dataset.filters))];
        return describe(arrays, { compression: filters.join(', ') || 'none', ...notRead(file.others) });
      } finally {
        file.close();
      }
    }
    case 'matlab': {
      const file = await openMatlab(source, signal);
      try {
        const listed = [...file.arrays.values()].slice(0, LISTED);
        const arrays = listed.map(({ name, className, shape, complex, sparse }) => ({
          name,
          dtype: `${complex ? 'complex ' : ''}${sparse ? 'sparse ' : ''}${className}`,
          shape,
        }));
        const unlisted = file.arrays.size - listed.length;
        return describe(
          arrays,
          {
            version: file.version,
            ...(file.containers.size > 0 ? { containers: firstOf(file.containers) } : {}),
            ...notRead(file.others),
          },
          unlisted > 0 ? [`${unlisted} further arrays are not listed`] : [],
        );
      } finally {
        file.close();
      }
    }
    case 'gifti': {
      const { arrays, details } = inspectGifti(await openGifti(source, signal));
      return describe(arrays, details);
    }
    case 'tar': {
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
      return describe([], { files, samples: samples.size, kinds: Object.fromEntries(kinds) });
    }
    case 'nifti': {
      const { header } = await openNifti(source, signal);
      const { dtype, shape, warnings, affine, spacing, extensions, ...rest } = header;
      return describe(
        [{ dtype, shape }],
        {
          version: rest.version,
          byteOrder: rest.littleEndian ? 'little-endian' : 'big-endian',
          compressed: rest.compressed,
          volumes: rest.volumes,
          repetitionTimeSeconds: rest.tr ?? null,
          spacing: [...spacing],
          spaceUnit: rest.spaceUnit,
          timeUnit: rest.timeUnit,
          slope: rest.slope,
          intercept: rest.intercept,
          voxelOffset: rest.voxelOffset,
          affine: affine.map((row) => [...row]),
          affineFrom: rest.affineFrom,
          sformCode: rest.sformCode,
          qformCode: rest.qformCode,
          intentCode: rest.intentCode,
          intentName: rest.intentName,
          description: rest.description,
          extensions: extensions.map(({ code, bytes }) => ({ code, bytes })),
        },
        warnings,
      );
    }
    case 'png': {
      const { width, height, depth, colour, interlaced } = await readPngHeader(source, signal);
      return describe([{ dtype: `${depth}-bit ${colour}`, shape: [height, width] }], { interlaced });
    }
    case 'table': {
      const { columns, rowCount, hasHeader, delimiter } = await readTable(source, { signal });
      const details = { delimiter, header: hasHeader, ...(hasHeader ? { columns: [...columns] } : {}) };
      return describe([{ dtype: 'text', shape: [rowCount, columns.length] }], details);
    }
  }
}

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
