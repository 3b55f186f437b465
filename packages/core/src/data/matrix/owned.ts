import type { Backend } from '../../backend.ts';
import { F2iError } from '../../error.ts';
import { type Rows, rowExtents } from '../../rows.ts';
import type { MatrixSource, Values } from './matrix.ts';
import { matrixInMemory } from './memory.ts';

/** A matrix whose memory nobody else has. */
export interface OwnedMatrix extends MatrixSource {
  /** Gives the values back; nothing can be read any more. Not while something computes with them. */
  take(): Values;
}

/**
 * A matrix in memory that was given away: devices that read the host's memory use it where it lies, where `matrixInMemory`
 * has to copy, since nobody can keep its owner from transferring it meanwhile. Its buffer is detached.
 *
 * @param rows [rows, ...], an array over a whole ArrayBuffer
 * @param name what errors call it
 * @throws INVALID_ARGUMENT for a part of a larger array
 *
 * @example
 * const source = ownedMatrix({ data: features, shape: [9000, 257, 768] }, 'vision');
 * await ridge.predict({ source, train }, sink, { alphas });
 * features = source.take();
 */
export function ownedMatrix({ data, shape }: Rows, name = 'matrix'): OwnedMatrix {
  const [rows, columns] = rowExtents({ data, shape }, name);
  if (!(data.buffer instanceof ArrayBuffer) || data.byteLength !== data.buffer.byteLength) {
    throw new F2iError('INVALID_ARGUMENT', 'only whole memory can be given away', {
      file: name,
      expected: `an array over an ArrayBuffer of its ${data.byteLength} bytes`,
      found: `one over ${data.buffer.byteLength} bytes`,
    });
  }
  const { buffer } = data;
  let values: Values | undefined = structuredClone(data, { transfer: [buffer] });
  const inner = matrixInMemory({ data: values, shape }, name);
  const there = (): Values => {
    if (values) return values;
    throw new F2iError('DISPOSED', 'the matrix was used after take()', { file: name });
  };
  return {
    ...inner,
    async read(wanted, from, to, signal, into) {
      there();
      return inner.read(wanted, from, to, signal, into);
    },
    inPlace(backend: Backend) {
      const own = there();
      return backend.share?.(
        own.buffer as ArrayBuffer,
        [rows, columns],
        own instanceof Float64Array ? 'f64' : 'f32',
      );
    },
    take() {
      const own = there();
      values = undefined;
      return own;
    },
  };
}
