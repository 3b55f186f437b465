import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type FloatType = 'f32' | 'f64';

/** One line of shapes/<op>.json: named extents and an element type. */
export interface BenchShape {
  readonly op: string;
  readonly dtype: FloatType;
  /** In the order in which peers take them. */
  readonly extents: Readonly<Record<string, number>>;
  /** What extents cannot say: an activation, the type of weights. */
  readonly options: Readonly<Record<string, string | boolean>>;
  /** Why this shape matters in this field. */
  readonly about: string;
}

interface ShapeFile {
  shapes: {
    dtype: FloatType;
    extents: Record<string, number>;
    options?: Record<string, string | boolean>;
    about: string;
  }[];
}

/** All shapes, or those of the named ops, in file order. */
export function readShapes(folder: string, ops: readonly string[]): BenchShape[] {
  const known = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length));
  for (const op of ops) {
    if (!known.includes(op)) throw new Error(`no shapes for ${op}; there are ${known.sort().join(', ')}`);
  }
  return (ops.length > 0 ? ops : known.sort()).flatMap((op) => {
    const file = JSON.parse(readFileSync(join(folder, `${op}.json`), 'utf8')) as ShapeFile;
    return file.shapes.map((shape) => ({ op, options: {}, ...shape }));
  });
}

/** `m=2048 n=2048 k=2048`, `m=3 n=4096 k=15724 weights=bf16` */
export function label(shape: BenchShape): string {
  return Object.entries({ ...shape.extents, ...shape.options })
    .map(([name, extent]) => `${name}=${extent}`)
    .join(' ');
}
