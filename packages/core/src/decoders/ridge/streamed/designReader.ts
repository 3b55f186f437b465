import type { DType } from '../../../dtype.ts';
import { F2iError } from '../../../error.ts';
import type { Tensor } from '../../../tensor.ts';
import { asType } from '../matrices.ts';
import type { Context } from './context.ts';
import { type InPlace, inPlace } from './staging.ts';
import type { Design, DesignMatrix } from './types.ts';

/** How blocks of voxels get to the device. */
export interface DesignReader {
  /** Voxels [from, to). */
  read(from: number, to: number): Promise<VoxelBlock>;
  dispose(): void;
}

/** A block of voxels. Each part is enqueued once at most. */
export interface VoxelBlock {
  /** Training rows [train, to - from] in the type. */
  train(dtype: DType): Tensor;
  /** Test rows [test, to - from] in the type. */
  test(dtype: DType): Tensor;
}

/**
 * Where the device reads the design's matrix itself, nothing is read here.
 *
 * @param withTest whether test rows are enqueued
 */
export function designReader(design: Design, withTest: boolean, context: Context): DesignReader {
  const whole = design.matrix && inPlace(design.matrix.source, context);
  return whole ? fromMatrix(whole, design.matrix!, context) : fromHost(design, withTest, context);
}

function fromMatrix(whole: InPlace, rows: DesignMatrix, { options }: Context): DesignReader {
  return {
    async read(from, to) {
      // A design is of float32 wherever it is read.
      const part = (some: Int32Array, dtype: DType) => {
        const floats = whole.upload({ rows: some, from }, [some.length, to - from], 'f32');
        return asType(floats, dtype, options);
      };
      return { train: (dtype) => part(rows.train, dtype), test: (dtype) => part(rows.test, dtype) };
    },
    dispose: () => whole.dispose(),
  };
}

/** Through the host's memory, the same for every block. */
function fromHost(design: Design, withTest: boolean, { host, signal, tally }: Context): DesignReader {
  return {
    async read(from, to) {
      const offered = host.take(withTest ? 2 : 1);
      const [ofTrain, ofTest] = offered.map((buffer) => asFloats(buffer));
      const into = { train: ofTrain, test: ofTest, trainOnly: !withTest };
      const rows = await tally.files(() => design.read(from, to, signal, into));
      for (const buffer of offered) {
        if (rows.train.buffer !== buffer && rows.test.buffer !== buffer) host.keep(buffer);
      }
      checkSize(rows.train, design.train, to - from, 'training');
      if (withTest) checkSize(rows.test, design.test, to - from, 'test');
      return {
        train: (dtype) => host.upload(rows.train, 'f32', [design.train, to - from], dtype),
        test: (dtype) => host.upload(rows.test, 'f32', [design.test, to - from], dtype),
      };
    },
    dispose() {},
  };
}

const asFloats = (buffer: ArrayBuffer) => new Float32Array(buffer, 0, Math.floor(buffer.byteLength / 4));

function checkSize(values: Float32Array, rows: number, width: number, which: string): void {
  if (values.length === rows * width) return;
  throw new F2iError('INVALID_ARGUMENT', `a block of ${which} rows has another size`, {
    field: 'design',
    expected: `${rows} x ${width} values`,
    found: `${values.length}`,
  });
}
