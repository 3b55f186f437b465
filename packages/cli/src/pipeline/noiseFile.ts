import { createHash } from 'node:crypto';
import {
  detectFormat,
  elementCount,
  F2iError,
  type NdArray,
  openNpz,
  openSafetensors,
  type RecordedNoise,
  type Source,
  toFloat32,
} from '@fmri2image/core';

/** Recorded noise of a sampler for a run of some reconstructions, read one item at a time. */
export interface NoiseFile {
  /** Tells this recording from another. */
  readonly identity: string;
  /** Noise of one item: [1, ...] and [evaluations, 1, ...]. */
  item(index: number, signal: AbortSignal): Promise<RecordedNoise>;
}

/** Bytes that are hashed at once. */
const PIECE = 2 ** 22;

const FIELDS = ['initial', 'steps'] as const;
type Field = (typeof FIELDS)[number];

interface Arrays {
  shape(field: Field): readonly number[] | undefined;
  /** Values [start, start + length), row-major. */
  read(field: Field, start: number, length: number, signal: AbortSignal): Promise<Float32Array>;
  readonly names: readonly string[];
}

/**
 * Opens a recording: safetensors (read by ranges) or npz with `initial` [items, tokens, dim], where each sample starts,
 * and `steps` [evaluations, items, tokens, dim], what each evaluation but the last adds.
 *
 * @param items reconstructions of the run
 * @throws FORMAT, naming file, array and shapes
 */
export async function openNoise(source: Source, items: number, signal: AbortSignal): Promise<NoiseFile> {
  const format = await detectFormat(source, signal);
  if (format !== 'npz' && format !== 'safetensors') {
    throw new F2iError('FORMAT', 'not a recording of noise', {
      file: source.name,
      expected: 'safetensors or npz with initial and steps',
      found: format,
    });
  }
  const arrays = await (format === 'npz' ? npzArrays(source, signal) : safetensorsArrays(source, signal));
  const fail = (field: Field, expected: string, found: string) =>
    new F2iError('FORMAT', 'the recorded noise does not fit the run', {
      file: source.name,
      field,
      expected,
      found,
    });
  const shapeOf = (field: Field) => {
    const shape = arrays.shape(field);
    if (shape) return shape;
    throw fail(field, 'an array of this name', arrays.names.join(', ') || 'no array');
  };
  const [initial, steps] = [shapeOf('initial'), shapeOf('steps')];
  const shown = (shape: readonly (number | string)[]) => `[${shape.join(', ')}]`;
  if (initial.length !== 3 || initial[0] !== items) {
    throw fail('initial', shown([`${items} items`, 'tokens', 'dim']), shown(initial));
  }
  if (steps.length !== 4 || steps.slice(1).join() !== initial.join()) {
    throw fail('steps', shown(['evaluations', ...initial]), shown(steps));
  }
  const own = initial.slice(1);
  const size = elementCount(own)!;
  const evaluations = steps[0]!;
  return {
    identity: `${source.size} bytes, initial ${shown(initial)}, steps ${shown(steps)}, sha256 ${await digest(source, signal)}`,
    async item(index, itemSignal) {
      const finite = async (field: Field, at: number) => {
        const values = await arrays.read(field, at, size, itemSignal);
        const bad = values.findIndex((value) => !Number.isFinite(value));
        if (bad < 0) return values;
        throw new F2iError('FORMAT', `the recorded noise of item ${index} is not all numbers`, {
          file: source.name,
          field,
          expected: 'finite values',
          found: `${values[bad]}`,
        });
      };
      const start = await finite('initial', index * size);
      const added = new Float32Array(evaluations * size);
      for (let e = 0; e < evaluations; e++) {
        added.set(await finite('steps', (e * items + index) * size), e * size);
      }
      return {
        initial: { data: start, shape: [1, ...own] },
        steps: { data: added, shape: [evaluations, 1, ...own] },
      };
    },
  };
}

/** Of the whole file: recordings may begin alike, and differ in their later items or steps. */
async function digest(source: Source, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < source.size; at += PIECE) {
    hash.update(await source.read(at, Math.min(PIECE, source.size - at), signal));
  }
  return hash.digest('hex').slice(0, 16);
}

async function safetensorsArrays(source: Source, signal: AbortSignal): Promise<Arrays> {
  const file = await openSafetensors(source, signal);
  return {
    names: [...file.entries.keys()],
    shape: (field) => file.entries.get(field)?.shape,
    async read(field, start, length, readSignal) {
      const { dtype } = file.entries.get(field)!;
      const data = await file.readElements(field, start, start + length, readSignal);
      return toFloat32({ dtype, shape: [length], data }, { file: source.name, field });
    },
  };
}

/** A zip has no random access: the arrays are read whole. */
async function npzArrays(source: Source, signal: AbortSignal): Promise<Arrays> {
  const file = await openNpz(source, signal);
  const held = new Map<string, NdArray>();
  for (const field of FIELDS) {
    if (file.names.includes(field)) held.set(field, await file.read(field, signal));
  }
  return {
    names: file.names,
    shape: (field) => held.get(field)?.shape,
    async read(field, start, length) {
      const { dtype, data } = held.get(field)!;
      const part = data.slice(start, start + length) as Float32Array;
      return toFloat32({ dtype, shape: [length], data: part }, { file: source.name, field });
    },
  };
}
