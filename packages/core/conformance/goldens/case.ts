import { openSafetensors } from '../../src/data/formats/safetensors.ts';
import { type Json, parseJson } from '../../src/data/json.ts';
import { toFloat64 } from '../../src/data/ndarray.ts';
import { type Folder, readText } from '../../src/data/source.ts';
import { F2iError } from '../../src/error.ts';
import type { Shape } from '../../src/tensor.ts';

/** Values as float64, whatever the file stores: half-precision weights are exact in it. */
export interface GoldenTensor {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** What the sidecar of a case says. Tensors are named without their `out.` in nothing but our own code. */
export interface Sidecar {
  readonly hyper: Readonly<Record<string, Json>>;
  /** What the case shows, in words. */
  readonly statement: string;
  /** Absolute tolerance of a tensor, where the case suggests one. */
  readonly suggested: ReadonlyMap<string, number>;
  /** Largest deviation of the original's float32 run from its float64 run. */
  readonly float32Error: ReadonlyMap<string, number>;
}

/** One case: `NAME.safetensors`, its further weight shards and `NAME.json`. */
export interface GoldenCase {
  readonly name: string;
  readonly sidecar: Sidecar;
  /** Names of all tensors of all shards. */
  readonly names: readonly string[];
  has(name: string): boolean;
  /** Reads one tensor; throws FORMAT when there is none of that name. */
  read(name: string): Promise<GoldenTensor>;
}

/** `case_part1`, `case_w2`: more weights of `case`, or of `case_part0`. */
const SHARD = /^(.+)_(?:part|w)\d+$/;

/** The one file that describes no case. */
const MANIFEST = 'MANIFEST';

/**
 * The cases of a folder, each with the stems of its files, in alphabetical order. A file whose other half is
 * missing counts as one, and opening it fails.
 */
export async function listCases(folder: Folder): Promise<{ name: string; stems: string[] }[]> {
  const present = new Set(
    (await folder.list()).flatMap((path) => /^([^/]+)\.(?:safetensors|json)$/.exec(path)?.[1] ?? []),
  );
  present.delete(MANIFEST);
  const cases = new Map<string, string[]>();
  for (const stem of [...present].sort()) {
    const base = SHARD.exec(stem)?.[1];
    const owner = [base, base && `${base}_part0`].find((name) => name && name !== stem && present.has(name));
    const name = owner ?? stem;
    cases.set(name, [...(cases.get(name) ?? []), stem]);
  }
  return [...cases].map(([name, files]) => ({ name, stems: files }));
}

export async function openCase(folder: Folder, name: string, stems: readonly string[]): Promise<GoldenCase> {
  const shards = await Promise.all(
    stems.map(async (stem) => openSafetensors(await folder.open(`${stem}.safetensors`))),
  );
  const holder = new Map<string, (typeof shards)[number]>();
  for (const [i, shard] of shards.entries()) {
    for (const field of shard.entries.keys()) {
      if (holder.has(field)) {
        const file = `${stems[i]}.safetensors`;
        throw new F2iError('FORMAT', `another file of ${name} has this tensor already`, { file, field });
      }
      holder.set(field, shard);
    }
  }
  const sidecars = await Promise.all(stems.map((stem) => readSidecar(folder, stem)));
  return {
    name,
    sidecar: sidecars[stems.indexOf(name)]!,
    names: [...holder.keys()],
    has: (tensor) => holder.has(tensor),
    async read(tensor) {
      const array = await (holder.get(tensor) ?? shards[0]!).read(tensor);
      return { shape: array.shape, data: toFloat64(array, { file: `${name}.safetensors`, field: tensor }) };
    },
  };
}

async function readSidecar(folder: Folder, name: string): Promise<Sidecar> {
  const file = `${name}.json`;
  const json = parseJson(await readText(await folder.open(file)), file);
  if (!isObject(json)) throw new F2iError('FORMAT', 'not a sidecar', { file, expected: 'an object' });
  const tolerances = (field: string, key: string) => {
    const block = json[field];
    const pairs = isObject(block) ? Object.entries(block) : [];
    return new Map(
      pairs.map(([tensor, entry]) => [tensor, tolerance(entry, key, file, `${field}.${tensor}`)]),
    );
  };
  return {
    hyper: isObject(json.hyper) ? json.hyper : {},
    statement: typeof json.statement === 'string' ? json.statement : '',
    suggested: tolerances('suggested_tolerance', 'atol'),
    float32Error: tolerances('fp32_vs_fp64', 'max_abs_err'),
  };
}

/** A bare number or `{ [key]: number }`. A negative one would let everything pass. */
function tolerance(entry: Json, key: string, file: string, field: string): number {
  const value = isObject(entry) ? entry[key] : entry;
  if (typeof value === 'number' && value >= 0) return value;
  const found = JSON.stringify(value);
  throw new F2iError('FORMAT', 'not a tolerance', { file, field, expected: 'a number, 0 or more', found });
}

function isObject(json: Json | undefined): json is { [key: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
