import { appendFileSync, mkdirSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { AnyRow } from '../table.ts';

const OPTIONS = {
  threads: { type: 'string' },
  only: { type: 'string', default: '' },
  samples: { type: 'string' },
  seconds: { type: 'string', default: '20' },
  seed: { type: 'string', default: '1' },
  isa: { type: 'string', default: 'auto' },
  peers: { type: 'boolean', default: true },
  json: { type: 'boolean', default: false },
  record: { type: 'string' },
  stages: { type: 'string' },
  precision: { type: 'string' },
  bundle: { type: 'string' },
  child: { type: 'string' },
  cases: { type: 'string' },
  scale: { type: 'string', default: '1' },
  keep: { type: 'string' },
  memory: { type: 'string', default: '2.9' },
  kill: { type: 'boolean', default: true },
  scratch: { type: 'string' },
  latest: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** The words and options of the command line, as usage.txt explains them. */
export const parse = () => parseArgs({ allowPositionals: true, allowNegative: true, options: OPTIONS });

export type Options = ReturnType<typeof parse>['values'];

/** Measures and prints; its result is the exit code. */
export type Mode = (options: Options, words: readonly string[]) => Promise<number>;

/** benchmarks/, from the file that tsup makes of everything, in dist/. */
export const folder = join(dirname(fileURLToPath(import.meta.url)), '..');
/** Where the peers' sources are. */
export const peersFolder = join(folder, 'peers');
/** Where what is compiled for this machine is kept. */
export const cache = join(folder, '..', '.f2i', 'bench');

export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

type NumberOption = 'samples' | 'seconds' | 'seed' | 'scale' | 'memory';

/** The number that an option has; `otherwise` where it was not given. */
export function numberOf(options: Options, name: NumberOption, otherwise = '0'): number {
  return asNumber(name, options[name] ?? otherwise, name === 'seed' ? 0 : Number.MIN_VALUE);
}

/** Numbers of threads, separated by commas. */
export function threadCounts({ threads }: Options, otherwise: readonly number[]): readonly number[] {
  return threads?.split(',').map((text) => asNumber('threads', text, 1)) ?? otherwise;
}

/** One number of threads, all cores by default. */
export const threadsOf = ({ threads }: Options): number =>
  threads === undefined ? os.availableParallelism() : asNumber('threads', threads, 1);

function asNumber(option: string, text: string, least: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value) && value >= least) return value;
  const expected = least === 1 ? 'a number of 1 or more' : `a number${least > 0 ? ' above 0' : ''}`;
  throw new Error(`--${option}: expected ${expected}, found ${text}`);
}

/** Those of `all` that a list separated by commas names, all without one; an unknown name is an error. */
export function chosen<T extends string>(all: readonly T[], list: string | undefined, option: string): T[] {
  if (list === undefined) return [...all];
  const names = list.split(',');
  const unknown = names.find((name) => !(all as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new Error(`--${option}: expected some of ${all.join(', ')}, found ${unknown}`);
  return all.filter((name) => names.includes(name));
}

/** All extents times a number. */
export function scaled<T extends object>(size: T, options: Options): T {
  const scale = numberOf(options, 'scale');
  const extents = Object.entries(size).map(([name, extent]) => [name, Math.ceil((extent as number) * scale)]);
  return Object.fromEntries(extents) as T;
}

/** Appends rows to the file of `--record`. */
export function record({ record: file }: Options, rows: readonly AnyRow[]): void {
  if (file === undefined) return;
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

/** Rows as `--json` wants them, or their table. */
export function show<T extends AnyRow>(
  { json }: Options,
  rows: readonly T[],
  table: (rows: readonly T[]) => string,
): void {
  if (json) for (const row of rows) console.log(JSON.stringify(row));
  else console.log(table(rows));
}
