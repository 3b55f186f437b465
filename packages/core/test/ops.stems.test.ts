import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { suites } from '../conformance/cases/index.ts';
import { ops } from '../src/index.ts';
import { referenceKernels } from '../src/reference/index.ts';
import { repositoryRoot } from './shared.ts';

/** One op, one stem: the places where each op has a file of its name. */
interface Place {
  readonly folder: string;
  readonly extension: string;
  /** Ops without a file here, and why. */
  readonly gaps?: Readonly<Record<string, string>>;
  /** Files that serve several ops or none. */
  readonly shared: readonly string[];
}

const places: readonly Place[] = [
  { folder: 'packages/core/src/ops', extension: 'ts', shared: ['README', 'index', 'op'] },
  {
    folder: 'packages/core/src/reference',
    extension: 'ts',
    shared: ['backend', 'index', 'kernel', 'queue'],
  },
  { folder: 'packages/core/conformance/cases', extension: 'ts', shared: ['index'] },
  {
    folder: 'native/src/cpu',
    extension: 'cpp',
    shared: [
      'README',
      'activate',
      'activations',
      'drivers',
      'exponential',
      'half',
      'rows',
      'select',
      'simd',
      'tiles',
    ],
  },
  {
    folder: 'packages/web/src/kernels',
    extension: 'ts',
    shared: [
      ...['activate', 'bits', 'cholesky_block', 'columns', 'exponential', 'grid', 'half', 'index', 'kernel'],
      ...['move', 'norm', 'product', 'rows', 'solve', 'status'],
    ],
  },
  { folder: 'benchmarks/shapes', extension: 'json', shared: [] },
];

describe.each(places)('stems of $folder', ({ folder, extension, gaps = {}, shared }) => {
  const path = join(repositoryRoot, folder);

  it.each([...ops.keys()])('%s', (op) => {
    const present = existsSync(join(path, `${op}.${extension}`));
    if (op in gaps) expect(present, `${op} is there, yet declared a gap: ${gaps[op]}`).toBe(false);
    else expect(present, `${folder}/${op}.${extension} is missing and no gap is declared`).toBe(true);
  });

  it('holds nothing that belongs to no op', () => {
    const belongs = (stem: string) =>
      shared.includes(stem) || [...ops.keys()].some((op) => stem === op || stem.startsWith(`${op}_`));
    const strays = readdirSync(path).filter((file) => !belongs(file.split('.', 1)[0]!));
    expect(strays).toEqual([]);
  });
});

it('every op has a reference kernel and conformance cases, under its name', () => {
  expect([...referenceKernels.keys()].sort()).toEqual([...ops.keys()].sort());
  expect(suites.map(({ op }) => op.name).sort()).toEqual([...ops.keys()].sort());
});
