// The CUDA kernels against the float64 reference, by the conformance runner of every backend, and against the goldens:
// executed on the processor, at sizes that this takes little time for. What a GPU alone shows (speed, and the instructions
// of Hopper's tensor cores) is not seen here.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  EVERYWHERE,
  formatGolden,
  formatReport,
  KnownCases,
  runConformance,
  runGoldens,
} from '@fmri2image/core/conformance';
import { beforeAll, expect, it } from 'vitest';
import { CudaBackend, nodeFolder } from '../src/index.ts';
import { unsupported } from './expectations.ts';
import { buildShim, withShim } from './shim.ts';

let library: string;
const known = new KnownCases();
beforeAll(() => {
  library = buildShim();
}, 600_000);

/** Left out for their size: limits of WebGPU, what the native tests see on every launch (two orders of threads), f64. */
const LARGE =
  /more than 65,535 workgroups|results are bit-equal from run to run|f64\/.*(several blocks|MindEye2)/;

/** Ops whose kernels are others before Ampere, where products of f32 have no tensor cores. */
const PRODUCTS = /^(gemm|linear|conv2d|gram|cosine_matrix|attention|cholesky_factor|triangular_solve)\/f32\//;
const SEVERAL_BLOCKS = /several blocks|long sums|a head of 512/;

it.each([
  ['9.0, as Hopper', '90', (id: string) => !LARGE.test(id), 1700],
  ['7.5, as Turing', '75', (id: string) => PRODUCTS.test(id) && !SEVERAL_BLOCKS.test(id), 250],
] as const)('conformance at compute capability %s', async (_, capability, takes, least) => {
  await withShim({ CAPABILITY: capability }, async () => {
    const backend = new CudaBackend({ library });
    expect(backend.info.description).toContain(`compute capability ${capability[0]}.${capability[1]}`);
    const report = await runConformance(backend, { unsupported, known, filter: { test: takes } });
    await backend.dispose();
    if (report.failed > 0) expect.fail(formatReport(report));
    expect(report.passed).toBeGreaterThan(least);
  });
});

const goldens =
  process.env.F2I_GOLDENS ?? fileURLToPath(new URL('../../../../shared/goldens', import.meta.url));
const required = (process.env.F2I_REQUIRE ?? '').split(',').includes('goldens');
const absent = existsSync(goldens) || required ? '' : ' (no goldens here)';

/** Goldens that take seconds in the shim; `npm run goldens -- FOLDER --backend cuda` runs them all. */
const SLOW =
  /^(mindeye1_prior_sampling|mindeye2_(blurry|backbone_seq1_blurry|prior_a|prior_sampling)|metrics_pairs|ridge_(banded|n_gt_p|rankdef|zerovar))/;

it.skipIf(absent !== '')(`goldens hold on cuda${absent}`, async () => {
  const backend = new CudaBackend({ library });
  const filter = { test: (name: string) => !SLOW.test(name) };
  const results = await runGoldens(await nodeFolder(goldens), backend, { filter });
  await backend.dispose();
  expect(results.filter(({ status }) => status === 'failed').map(formatGolden)).toEqual([]);
  // What is skipped is skipped on the processor, too.
  const refused = results.filter(({ message }) => /the cuda backend has no|no kernel/.test(message));
  expect(refused.map(formatGolden)).toEqual([]);
  const passed = results.filter(({ status }) => status === 'passed').map(({ name }) => name);
  expect(passed).toEqual(
    expect.arrayContaining([
      ...EVERYWHERE.filter((name) => !SLOW.test(name)),
      'brain_diffuser',
      'mindeye2_backbone_seq4',
      'mindeye2_prior_long',
      'ridge_n_lt_p',
    ]),
  );
});
