import type { Backend } from '../../src/backend.ts';
import { fromNumbers, toNumbers } from '../../src/convert.ts';
import type { DType } from '../../src/dtype.ts';
import { F2iError } from '../../src/error.ts';
import type { Tensor } from '../../src/tensor.ts';
import type { GoldenCase, GoldenTensor } from './case.ts';

/** What the project computed for one `out.*` or `mid.*` tensor of a case. */
export interface Produced extends GoldenTensor {
  /** Absolute tolerance, where the family has a rule of its own; 0 for exact. */
  readonly atol?: ((expected: Float64Array) => number) | undefined;
}

/** Runs the cases of one family. */
export interface Adapter {
  /** Cases of this name, or of a name that goes on with an underscore: other sizes and seeds. */
  readonly prefix: string;
  /** Why this backend cannot run the family, if so: the case is skipped. */
  unsupported?(backend: Backend): string | undefined;
  /** Results by the names that the file uses: `out.y`. */
  run(golden: GoldenCase, backend: Backend): Promise<Map<string, Produced>>;
}

/** Uploads `in.*` (or any tensor) of a case as a matrix of `cols` columns, or in its own shape. */
export async function upload(
  golden: GoldenCase,
  backend: Backend,
  name: string,
  dtype: DType = 'f32',
): Promise<Tensor> {
  const { shape, data } = await golden.read(name);
  return backend.tensor(fromNumbers(data, dtype), shape, dtype);
}

/** The same, or nothing where the case has no such tensor. */
export async function uploadIf(
  golden: GoldenCase,
  backend: Backend,
  name: string,
): Promise<Tensor | undefined> {
  return golden.has(name) ? upload(golden, backend, name) : undefined;
}

/** A hyper-parameter that must be a number: `eps`, `alt.num_buckets`. */
export function hyperNumber({ name, sidecar }: GoldenCase, key: string, otherwise?: number): number {
  const value = key
    .split('.')
    .reduce<unknown>((block, part) => (block as Record<string, unknown> | undefined)?.[part], sidecar.hyper);
  if (typeof value === 'number') return value;
  if (value === undefined && otherwise !== undefined) return otherwise;
  const found = JSON.stringify(value) ?? 'nothing';
  throw new F2iError('FORMAT', 'not a hyper-parameter', {
    file: `${name}.json`,
    field: `hyper.${key}`,
    expected: 'a number',
    found,
  });
}

export async function produced(tensor: Tensor, shape = tensor.shape): Promise<Produced> {
  return { shape, data: toNumbers(await tensor.download(), tensor.dtype) };
}
