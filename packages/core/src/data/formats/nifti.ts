import { F2iError } from '../../error.ts';
import {
  allocate,
  decodeElements,
  type ElementArray,
  elementBytes,
  elementCount,
  type NdArray,
  toFloat64,
} from '../ndarray.ts';
import { pacer } from '../pause.ts';
import type { Source } from '../source.ts';
import { viewOf } from './bytes.ts';
import { gunzipHead, gunzipPieces, isGzipFile } from './gzip.ts';
import { LONGEST_HEADER, layoutOf, type NiftiHeader, parseHeader } from './niftiHeader.ts';
import { toRowMajor } from './npy.ts';

export interface Nifti {
  readonly source: Source;
  readonly header: NiftiHeader;
  /** Stored values of one volume, unscaled, x fastest. Uncompressed files are read only where needed. */
  readVolume(index: number, signal?: AbortSignal): Promise<ElementArray>;
  /** Stored values of all volumes in turn; the way to read a compressed file, which has no random access. */
  eachVolume(signal?: AbortSignal): AsyncGenerator<ElementArray>;
  /**
   * The whole image, row-major with the axes of `shape` (as nibabel's arrays), scaled: stored type when the header
   * asks for no scaling, else f64.
   */
  readAll(signal?: AbortSignal): Promise<NdArray>;
}

/** Whether the (decompressed) bytes begin as a NIfTI header, of one file or of a pair. */
export function isNifti(start: Uint8Array): boolean {
  const at = (offset: number) => String.fromCharCode(...start.subarray(offset, offset + 3));
  return /^n[i+]1$/.test(at(344)) || /^n[i+]2$/.test(at(4));
}

/** Opens an image and checks its header against the file's size. Throws FORMAT, UNSUPPORTED. */
export async function openNifti(source: Source, signal?: AbortSignal): Promise<Nifti> {
  const file = source.name;
  const compressed = await isGzipFile(source, signal);
  let head = await headOf(source, compressed, LONGEST_HEADER + 4, signal);
  const layout = layoutOf(head, file);
  const voxelOffset = layout.voxelOffset;
  if (head.length < voxelOffset) head = await headOf(source, compressed, voxelOffset, signal);
  const header = parseHeader(head, layout, compressed, file);

  const count = elementCount(header.shape);
  const bytes = (count ?? Number.POSITIVE_INFINITY) * elementBytes(header.dtype);
  const total = voxelOffset + bytes;
  // DEFLATE cannot expand more than 1032 times: a header that announces more lies.
  if (compressed ? total > source.size * 1032 : total !== source.size) {
    throw wrongAmount(
      file,
      header,
      bytes,
      compressed ? `${source.size} compressed` : `${source.size - voxelOffset}`,
    );
  }
  // A single gzip member states its size. Where it disagrees, count before anything is allocated on the header's word.
  if (compressed && (await statedSize(source, signal)) !== total % 2 ** 32) {
    let found = -voxelOffset;
    for await (const piece of gunzipPieces(source, signal)) {
      found += piece.length;
      if (found > bytes) throw wrongAmount(file, header, bytes, `${found} or more`);
    }
    if (found !== bytes) throw wrongAmount(file, header, bytes, `${Math.max(0, found)}`);
  }
  const perVolume = bytes / header.volumes;

  async function* eachVolume(volumeSignal?: AbortSignal): AsyncGenerator<ElementArray> {
    if (!compressed) {
      const breathe = pacer(volumeSignal, `reading ${file}`);
      for (let index = 0; index < header.volumes; index++) {
        yield await readVolume(index, volumeSignal);
        await breathe();
      }
      return;
    }
    let position = -voxelOffset;
    const volume = allocate('u8', perVolume, file);
    for await (const piece of gunzipPieces(source, volumeSignal)) {
      for (let from = Math.max(0, Math.min(piece.length, -position)); from < piece.length; ) {
        const at = position + from;
        if (at >= bytes) throw wrongAmount(file, header, bytes, 'more');
        const inVolume = at % perVolume;
        const length = Math.min(piece.length - from, perVolume - inVolume);
        volume.set(piece.subarray(from, from + length), inVolume);
        from += length;
        if (inVolume + length === perVolume) {
          yield decodeElements(volume, header.dtype, file, header.littleEndian);
        }
      }
      position += piece.length;
    }
    if (position !== bytes) throw wrongAmount(file, header, bytes, `${Math.max(0, position)}`);
  }

  async function readVolume(index: number, volumeSignal?: AbortSignal): Promise<ElementArray> {
    if (!Number.isInteger(index) || index < 0 || index >= header.volumes) {
      const expected = `0 to ${header.volumes - 1}`;
      throw new F2iError('INVALID_ARGUMENT', 'no such volume', { file, expected, found: `${index}` });
    }
    if (compressed) {
      let at = 0;
      for await (const volume of eachVolume(volumeSignal)) if (at++ === index) return volume;
    }
    const range = await source.read(voxelOffset + index * perVolume, perVolume, volumeSignal);
    return decodeElements(range, header.dtype, file, header.littleEndian);
  }

  async function readWhole(wholeSignal?: AbortSignal): Promise<NdArray> {
    const { shape, dtype, slope, intercept } = header;
    const scaled = slope !== 1 || intercept !== 0;
    const all = allocate(scaled ? 'f64' : dtype, count!, file) as Float64Array;
    const size = all.length / header.volumes;
    const breathe = pacer(wholeSignal, `reading ${file}`);
    let index = 0;
    for await (const stored of eachVolume(wholeSignal)) {
      const values = scaled ? scaleVolume(stored, header, file) : (stored as unknown as Float64Array);
      all.set(values, index++ * size);
      await breathe();
    }
    const type = scaled ? 'f64' : dtype;
    return { dtype: type, shape, data: shape.length > 1 ? toRowMajor(all, type as 'f64', shape, file) : all };
  }

  return { source, header, readVolume, eachVolume, readAll: readWhole };
}

/** Stored values to the header's units, in float64. */
export function scaleVolume(stored: ElementArray, header: NiftiHeader, file: string): Float64Array {
  const { dtype, slope, intercept } = header;
  const values = toFloat64({ dtype, shape: [stored.length], data: stored }, { file, field: 'voxels' });
  if (slope === 1 && intercept === 0) return values;
  return values.map((value) => slope * value + intercept);
}

function wrongAmount(file: string, header: NiftiHeader, bytes: number, found: string): F2iError {
  return new F2iError('FORMAT', 'the amount of data is not what the header announces', {
    file,
    field: 'dim',
    expected: `${bytes} bytes of voxels for ${header.dtype} [${header.shape.join(', ')}]`,
    found,
  });
}

/** The first bytes of the decompressed file: at least `length`, or all there are. */
function headOf(
  source: Source,
  compressed: boolean,
  length: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (compressed) return gunzipHead(source, length, signal);
  return source.read(0, Math.min(length, source.size), signal);
}

async function statedSize(source: Source, signal?: AbortSignal): Promise<number> {
  if (source.size < 18) return 0;
  return viewOf(await source.read(source.size - 4, 4, signal)).getUint32(0, true);
}
