import type { Backend } from '../../backend.ts';
import { elementBytes, hostIsLittleEndian, toFloat32 } from '../../data/ndarray.ts';
import { throwIfAborted } from '../../error.ts';
import type { Tensor } from '../../tensor.ts';
import type { WeightSource } from '../../weights/source.ts';

/** WebGPU guarantees bindings of 128 MiB. */
const UPLOADED_BYTES = 128 * 2 ** 20;
/** Smaller matrices are copied: a mapping takes whole pages. */
const MAPPED_BYTES = 2 ** 20;

/** Some rows of a matrix on a device. */
export interface MatrixPart {
  readonly from: number;
  readonly to: number;
  /** [to - from, columns] */
  readonly tensor: Tensor;
}

/** Whether a matrix can be used where it lies on disk. */
export function isMapped(weights: WeightSource, name: string, backend: Backend): boolean {
  const { byteLength, dtype } = weights.entries.get(name)!;
  if (!hostIsLittleEndian || !backend.mapFile || byteLength < MAPPED_BYTES) return false;
  const places = weights.locate?.(name);
  return places?.every(({ offset, rows }) => offset % elementBytes(dtype) === 0 && rows > 0) ?? false;
}

/**
 * A matrix of a bundle on a device, by parts of rows. Where the device maps files, its parts are the files' own, once
 * their checksums hold; otherwise they are uploaded, 128 MiB at a time. float64 goes to devices that have none as float32.
 */
export async function loadMatrix(
  weights: WeightSource,
  name: string,
  backend: Backend,
  { dtype, signal }: { dtype: 'f32' | 'f64'; signal?: AbortSignal | undefined },
): Promise<MatrixPart[]> {
  const entry = weights.entries.get(name)!;
  const [rows, columns] = entry.shape as [number, number];
  const parts: MatrixPart[] = [];
  try {
    if (entry.dtype === dtype && isMapped(weights, name, backend)) {
      let from = 0;
      for (const place of weights.locate!(name)!) {
        throwIfAborted(signal, `loading ${weights.name}`);
        await weights.verify?.(place, signal);
        const tensor = backend.mapFile!(place.path, place.offset, [place.rows, columns], dtype);
        parts.push({ from, to: from + place.rows, tensor });
        from += place.rows;
      }
      return parts;
    }
    const atOnce = Math.max(1, Math.floor(UPLOADED_BYTES / (columns * elementBytes(dtype))));
    for (let from = 0; from < rows; from += atOnce) {
      const to = Math.min(rows, from + atOnce);
      await backend.ready((to - from) * columns * elementBytes(dtype));
      const { data, ...read } = await weights.readRows(name, from, to, signal);
      throwIfAborted(signal, `loading ${weights.name}`);
      const values = dtype === 'f64' ? (data as Float64Array) : toFloat32({ data, ...read } as never);
      parts.push({ from, to, tensor: backend.tensor(values, [to - from, columns]) });
    }
    return parts;
  } catch (error) {
    for (const { tensor } of parts) tensor.dispose();
    throw error;
  }
}
