import { F2iError } from '../../error.ts';
import { openNifti, scaleVolume } from '../formats/nifti.ts';
import type { NiftiHeader } from '../formats/niftiHeader.ts';
import { detectFormat, readArray } from '../formats/read_array.ts';
import { readNumericTable } from '../formats/table.ts';
import { toFloat32 } from '../ndarray.ts';
import type { Source } from '../source.ts';
import { didYouMean, shortList } from './nearest.ts';
import type { StudyManifest } from './schema.ts';
import type { VoxelSelection } from './study.ts';

/** Rows by voxels as read from the files, before bad voxels are dealt with. */
export interface RawVoxels {
  readonly data: Float32Array;
  readonly rows: number;
  readonly selection: VoxelSelection;
  /** Rows of each file, in order. */
  readonly rowsOfFile: readonly number[];
  readonly warnings: readonly string[];
  /** Length of the other axis, where one matrix holds all: `orientation` may be the wrong way round. */
  readonly otherAxis?: number | undefined;
}

/** Reads the files of `voxels` and puts their rows one after the other. */
export async function readVoxels(
  manifest: StudyManifest,
  open: (path: string, field: string) => Promise<Source>,
  signal?: AbortSignal,
): Promise<RawVoxels> {
  const { voxels } = manifest;
  const files = Array.isArray(voxels.file) ? voxels.file : [voxels.file];
  const warnings: string[] = [];
  const parts: Part[] = [];
  for (const [i, path] of files.entries()) {
    const field = Array.isArray(voxels.file) ? `voxels.file.${i}` : 'voxels.file';
    const source = await open(path, field);
    const format = await detectFormat(source, signal);
    if (format !== 'nifti' && voxels.mask !== undefined) {
      throw new F2iError('FORMAT', 'only images have a mask', { file: source.name, field: 'voxels.mask' });
    }
    if (format === 'nifti') parts.push(await readImage(source, path, manifest, open, warnings, signal));
    else if (format === 'table')
      parts.push(await readColumns(source, path, voxels.dropColumns ?? [], signal));
    else parts.push(await readMatrix(source, path, manifest, signal));
    const first = parts[0]!;
    const last = parts.at(-1)!;
    if (last.selection.indices.length !== first.selection.indices.length) {
      throw new F2iError('FORMAT', 'the files have different numbers of voxels', {
        file: source.name,
        expected: `${first.selection.indices.length} as in ${files[0]}`,
        found: `${last.selection.indices.length}`,
      });
    }
  }
  return {
    ...concatenate(parts),
    selection: parts[0]!.selection,
    warnings,
    otherAxis: parts.length === 1 ? parts[0]!.otherAxis : undefined,
  };
}

interface Part {
  readonly data: Float32Array;
  readonly rows: number;
  readonly selection: VoxelSelection;
  readonly otherAxis?: number;
}

function concatenate(parts: readonly Part[]): { data: Float32Array; rows: number; rowsOfFile: number[] } {
  const rowsOfFile = parts.map((part) => part.rows);
  const rows = rowsOfFile.reduce((sum, count) => sum + count, 0);
  if (parts.length === 1) return { data: parts[0]!.data, rows, rowsOfFile };
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { data, rows, rowsOfFile };
}

const range = (count: number) => Int32Array.from({ length: count }, (_, i) => i);

async function readMatrix(
  source: Source,
  path: string,
  { voxels }: StudyManifest,
  signal?: AbortSignal,
): Promise<Part> {
  const array = await readArray(source, { array: voxels.array, signal });
  if (array.shape.length !== 2) {
    throw new F2iError('FORMAT', 'voxels must be a matrix', {
      file: source.name,
      field: voxels.array,
      expected: '[rows, voxels]',
      found: `[${array.shape.join(', ')}]`,
    });
  }
  const values = toFloat32(array, { file: source.name, field: voxels.array });
  const turned = voxels.orientation === 'voxels-by-rows';
  const [rows, width] = (turned ? array.shape.toReversed() : array.shape) as [number, number];
  const data = turned ? transpose(values, width, rows) : values;
  return {
    data,
    rows,
    selection: {
      description: `all ${width} columns of ${path}`,
      indices: range(width),
      space: { kind: 'matrix', columns: width },
    },
    otherAxis: width,
  };
}

function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c]!;
  return out;
}

async function readColumns(
  source: Source,
  path: string,
  drop: readonly string[],
  signal?: AbortSignal,
): Promise<Part> {
  const table = await readNumericTable(source, { signal });
  for (const name of drop) {
    if (!table.columns.includes(name)) {
      throw new F2iError('FORMAT', `no such column${didYouMean(name, table.columns)}`, {
        file: source.name,
        field: 'voxels.dropColumns',
        expected: `one of ${shortList(table.columns, 6)}`,
        found: name,
      });
    }
  }
  const kept = range(table.columns.length).filter((column) => !drop.includes(table.columns[column]!));
  const width = table.columns.length;
  const rows = table.data.length / width;
  const data = new Float32Array(rows * kept.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < kept.length; c++) data[r * kept.length + c] = table.data[r * width + kept[c]!]!;
  }
  return {
    data,
    rows,
    selection: {
      description: `${kept.length} columns of ${path}`,
      indices: kept,
      space: { kind: 'table', names: Array.from(kept, (column) => table.columns[column]!) },
    },
  };
}

async function readImage(
  source: Source,
  file: string,
  manifest: StudyManifest,
  open: (path: string, field: string) => Promise<Source>,
  warnings: string[],
  signal?: AbortSignal,
): Promise<Part> {
  const image = await openNifti(source, signal);
  const { header } = image;
  warnings.push(...header.warnings.map((warning) => `${source.name}: ${warning}`));
  checkRepetitionTime(manifest, header.tr, source.name, warnings);
  const size = header.space[0] * header.space[1] * header.space[2];
  const path = manifest.voxels.mask;
  const indices =
    path === undefined
      ? range(size)
      : await readMask(await open(path, 'voxels.mask'), header, warnings, signal);
  const data = new Float32Array(header.volumes * indices.length);
  let row = 0;
  for await (const stored of image.eachVolume(signal)) {
    const values = scaleVolume(stored, header, source.name);
    for (let c = 0; c < indices.length; c++) data[row * indices.length + c] = values[indices[c]!]!;
    row++;
  }
  const description =
    path === undefined ? `all ${size} voxels of ${file}` : `${indices.length} voxels of ${path}`;
  const space = { kind: 'image', grid: header.space, affine: header.affine } as const;
  return { data, rows: header.volumes, selection: { description, indices, space } };
}

function checkRepetitionTime(
  { tr, trOverride, voxels }: StudyManifest,
  stated: number | undefined,
  file: string,
  warnings: string[],
): void {
  if (voxels.rows !== 'volumes' || tr === undefined || !stated || Math.abs(stated - tr) <= 1e-3 * tr) return;
  if (!trOverride) {
    throw new F2iError(
      'FORMAT',
      'the image states another repetition time than the study (trOverride: true takes the study’s)',
      {
        file,
        field: 'tr',
        expected: `${tr} s`,
        found: `${stated} s`,
      },
    );
  }
  warnings.push(`${file}: its header states a repetition time of ${stated} s; the study's ${tr} s is used`);
}

async function readMask(
  source: Source,
  { space, affine }: NiftiHeader,
  warnings: string[],
  signal?: AbortSignal,
): Promise<Int32Array> {
  const mask = await openNifti(source, signal);
  if (mask.header.space.join() !== space.join() || mask.header.volumes !== 1) {
    throw new F2iError('FORMAT', 'the mask does not fit the image', {
      file: source.name,
      expected: `one volume of ${space.join(' x ')}`,
      found: `${mask.header.volumes} of ${mask.header.space.join(' x ')}`,
    });
  }
  // The same grid at another place in the head: a mask of another session, or one whose header was lost.
  const shift = Math.max(...affine.flat().map((value, k) => Math.abs(value - mask.header.affine.flat()[k]!)));
  if (shift > 1e-3) {
    warnings.push(
      `${source.name}: its affine differs from the image's: an entry by ${shift.toPrecision(3)} (of voxel sizes and origin, in mm)`,
    );
  }
  const values = scaleVolume(await mask.readVolume(0, signal), mask.header, source.name);
  const inside = range(values.length).filter((voxel) => values[voxel] !== 0 && !Number.isNaN(values[voxel]!));
  if (inside.length === 0) throw new F2iError('FORMAT', 'the mask is empty', { file: source.name });
  return inside;
}
