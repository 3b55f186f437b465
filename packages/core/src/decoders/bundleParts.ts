import { z } from 'zod';
import type { BundleContents, BundleTensor } from '../bundle/contents.ts';
import type { Json } from '../data/json.ts';
import type { ElementType, NdArray } from '../data/ndarray.ts';
import { schemaError } from '../data/schema_error.ts';
import { F2iError } from '../error.ts';
import { checkOutput } from './decoder.ts';

/** A tensor of a bundle. @param meaning axes and units, for other readers */
export function bundleTensor<D extends ElementType>(
  name: string,
  dtype: D,
  shape: number[],
  data: NdArray<D>['data'],
  meaning: string,
): BundleTensor {
  return { name, dtype, shape, data, meaning } as BundleTensor;
}

/**
 * `config` of a bundle, held against what its kind of decoder knows.
 *
 * @param file name of model.json, for errors
 * @throws FORMAT naming field, expected and found
 */
export function readConfig<S extends z.ZodType>(
  config: { readonly [key: string]: Json },
  schema: S,
  file: string,
): z.infer<S> {
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({ ...issue, path: ['config', ...issue.path] }));
  throw schemaError({ config }, issues, z.object({ config: schema }), file);
}

/** @throws FORMAT for an output that makes no sense */
export function checkStoredOutput({ output }: BundleContents, file: string): void {
  try {
    checkOutput(output, output.shape);
  } catch (cause) {
    throw new F2iError('FORMAT', (cause as Error).message, { file, cause });
  }
}

/** Sentences of a report that a decoder repeats. */
export function storedWarnings({ warnings }: BundleContents['report']): string[] {
  return Array.isArray(warnings) ? warnings.map(String) : [];
}

/** Tensors of a bundle, each taken by name, type and shape; in the end none may be left. */
export class StoredTensors {
  readonly #contents: BundleContents;
  readonly #file: string;
  readonly #taken = new Set<string>();

  /** @param file name of model.json, for errors */
  constructor(contents: BundleContents, file: string) {
    this.#contents = contents;
    this.#file = file;
  }

  /**
   * A tensor of finite values.
   *
   * @param shape undefined for an extent that may be any
   * @throws FORMAT naming the tensor, expected and found
   */
  take<D extends ElementType>(
    name: string,
    dtypes: readonly D[],
    shape: readonly (number | undefined)[],
  ): NdArray<D> {
    this.#taken.add(name);
    const found = this.#contents.tensors.find((entry) => entry.name === name);
    const fits =
      found &&
      dtypes.some((dtype) => dtype === found.dtype) &&
      found.data.length > 0 &&
      found.shape.length === shape.length &&
      shape.every((extent, axis) => extent === undefined || extent === found.shape[axis]);
    if (!fits) {
      throw this.#bad('a tensor of the decoder is missing or has the wrong form', name, {
        expected: `${dtypes.join(' or ')} [${shape.map((extent) => extent ?? 'any').join(', ')}]`,
        found: found ? `${found.dtype} [${found.shape.join(', ')}]` : 'none',
      });
    }
    const broken = (found.data as Float64Array).findIndex((value) => !Number.isFinite(value));
    if (broken >= 0) {
      throw this.#bad('a tensor holds NaN or infinity', name, {
        expected: 'finite numbers',
        found: `${found.data[broken]} at element ${broken}`,
      });
    }
    return found as NdArray as NdArray<D>;
  }

  /** @throws FORMAT for a tensor that was not taken */
  end(): void {
    const { kind, tensors } = this.#contents;
    const unknown = tensors.find(({ name }) => !this.#taken.has(name));
    if (unknown) throw this.#bad(`a tensor that ${kind} does not know`, unknown.name);
  }

  #bad(message: string, name: string, details: { expected?: string; found?: string } = {}): F2iError {
    return new F2iError('FORMAT', message, { file: this.#file, field: `tensors.${name}`, ...details });
  }
}
