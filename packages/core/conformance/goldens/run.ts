import type { Backend } from '../../src/backend.ts';
import type { Folder } from '../../src/data/source.ts';
import { F2iError } from '../../src/error.ts';
import { describe } from '../../src/tensor.ts';
import { assert, messageOf } from '../assert.ts';
import type { Adapter, Produced } from './adapter.ts';
import { brainDiffuser } from './brain_diffuser.ts';
import { type GoldenCase, listCases, openCase } from './case.ts';
import { clipConverter } from './clip_converter.ts';
import { kernelActivations } from './kernel_activation.ts';
import { kernelAttention, kernelRelativePositionBias, kernelRotary } from './kernel_attention.ts';
import { kernelCosineMatrix } from './kernel_cosine_matrix.ts';
import { kernelLinear } from './kernel_linear.ts';
import { kernelGroupNorm, kernelLayerNorm, kernelSoftmax } from './kernel_norms.ts';
import { kernelPearsonColumns } from './kernel_pearson_columns.ts';
import { kernelAdaptiveMaxPool, kernelConv2d, kernelUpsampleNearest } from './kernel_pictures.ts';
import { kernelTimestepEmbedding } from './kernel_timestep_embedding.ts';
import { isGradient, laterReason } from './later.ts';
import { metricsFeatures } from './metrics_features.ts';
import { metricsPairs } from './metrics_pairs.ts';
import { metricsResize } from './metrics_resize.ts';
import { mindeye1PriorSampling, mindeye2PriorSampling } from './mindeye_prior_sampling.ts';
import { mindeye1Voxel2clip } from './mindeye1_voxel2clip.ts';
import { mindeye2Backbone } from './mindeye2_backbone.ts';
import { mindeye2Blurry } from './mindeye2_blurry.ts';
import { mindeye2Prior } from './mindeye2_prior.ts';
import { ridge } from './ridge.ts';
import { ridgeBanded } from './ridge_banded.ts';

const adapters: readonly Adapter[] = [
  brainDiffuser,
  clipConverter,
  ...kernelActivations,
  kernelAdaptiveMaxPool,
  kernelAttention,
  kernelConv2d,
  kernelCosineMatrix,
  kernelGroupNorm,
  kernelLayerNorm,
  kernelLinear,
  kernelPearsonColumns,
  kernelRelativePositionBias,
  kernelRotary,
  kernelSoftmax,
  kernelTimestepEmbedding,
  kernelUpsampleNearest,
  metricsFeatures,
  metricsPairs,
  metricsResize,
  mindeye2Backbone,
  mindeye2Blurry,
  mindeye1Voxel2clip,
  mindeye1PriorSampling,
  // Before the prior itself, whose name theirs begins with.
  mindeye2PriorSampling,
  mindeye2Prior,
  // Before plain ridge, whose name theirs begins with.
  ridgeBanded,
  ridge,
];

export interface GoldenResult {
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  /** Worst error over tolerance of all compared tensors; undefined where nothing was compared. */
  readonly worst: number | undefined;
  /** The tensor of the worst error, why the case failed, or why it was skipped. */
  readonly message: string;
}

export interface GoldensOptions {
  /** Runs only cases whose name passes: a RegExp, or any other test. */
  readonly filter?: Pick<RegExp, 'test'> | undefined;
  readonly onResult?: (result: GoldenResult) => void;
  /** Each tensor that is compared, before the result of its case. */
  readonly onCompared?: ((compared: ComparedTensor) => void) | undefined;
}

/** What a case expects of a tensor, what came out, and how far it may be off. */
export interface ComparedTensor {
  readonly name: string;
  readonly expected: Float64Array;
  readonly found: Float64Array;
  readonly atol: number;
}

/**
 * Runs every case of a folder of goldens: numbers that the original public implementations computed. Sizes come
 * from the tensors, everything else from the sidecars, so that any folder of the same families will do.
 */
export async function runGoldens(
  folder: Folder,
  backend: Backend,
  { filter, onResult, onCompared }: GoldensOptions = {},
): Promise<GoldenResult[]> {
  const results: GoldenResult[] = [];
  for (const { name, stems } of await listCases(folder)) {
    if (filter && !filter.test(name)) continue;
    const result = await runCase(folder, name, stems, backend, onCompared);
    results.push(result);
    onResult?.(result);
  }
  return results;
}

export function formatGolden({ name, status, worst, message }: GoldenResult): string {
  const figure = worst === undefined ? '' : ` ${worst.toPrecision(3)}`;
  return `${status} ${name}${figure}${message ? ` (${message})` : ''}`;
}

/** The last line, and whether the whole counts as a success: no failure, and at least one pass. */
export function summary(results: readonly GoldenResult[]): { line: string; ok: boolean } {
  const count = (status: GoldenResult['status']) => results.filter((each) => each.status === status).length;
  const [passed, failed, skipped] = [count('passed'), count('failed'), count('skipped')];
  return {
    line: `${passed} passed, ${failed} failed, ${skipped} skipped`,
    ok: failed === 0 && passed > 0,
  };
}

async function runCase(
  folder: Folder,
  name: string,
  stems: readonly string[],
  backend: Backend,
  onCompared: GoldensOptions['onCompared'],
): Promise<GoldenResult> {
  const skipped = (message: string): GoldenResult => ({ name, status: 'skipped', worst: undefined, message });
  const before = new Set(backend.liveTensors());
  try {
    const chosen = choose(name);
    // Files that are missing or contradict each other fail a case that is skipped, too.
    const golden = await openCase(folder, name, stems);
    if (typeof chosen === 'string') return skipped(chosen);
    const lacking = chosen.unsupported?.(backend);
    if (lacking !== undefined) return skipped(lacking);
    const { worst, where } = await compare(golden, await chosen.run(golden, backend), onCompared);
    return { name, status: worst <= 1 ? 'passed' : 'failed', worst, message: where };
  } catch (error) {
    // An op that the device refuses is a declared gap, not a wrong number; tests say which cases must pass.
    const refused = error instanceof F2iError && error.code === 'UNSUPPORTED' && error.op !== undefined;
    if (refused && error.backend === backend.name) return skipped(messageOf(error));
    return { name, status: 'failed', worst: undefined, message: messageOf(error) };
  } finally {
    for (const tensor of backend.liveTensors()) if (!before.has(tensor)) tensor.dispose();
  }
}

/** The adapter of a case, or why it is skipped. */
function choose(name: string): Adapter | string {
  const reason = laterReason(name);
  if (reason !== undefined) return reason;
  const adapter = adapters.find(({ prefix }) => name === prefix || name.startsWith(`${prefix}_`));
  if (adapter) return adapter;
  throw new F2iError('UNSUPPORTED', 'no adapter knows this case, and it is on no list of later ones');
}

/**
 * Every `out.*` apart from gradients must have been produced, `mid.*` may have been; float64 values are preferred
 * where the file has them.
 */
async function compare(
  golden: GoldenCase,
  results: ReadonlyMap<string, Produced>,
  onCompared: GoldensOptions['onCompared'],
) {
  let worst = 0;
  let where = '';
  const names = new Set(golden.names.map((name) => name.replace(/^(out|mid)64\./, '$1.')));
  const wanted = [...names].filter((name) => /^(out|mid)\./.test(name) && !isGradient(name));
  const compared = wanted.filter((name) => results.has(name) || name.startsWith('out.'));
  assert(compared.length > 0, 'nothing to compare');
  for (const name of compared) {
    const result = results.get(name);
    assert(result !== undefined, `${name} was not produced`);
    const precise = name.replace('.', '64.');
    const expected = await golden.read(golden.has(precise) ? precise : name);
    const [there, here] = [expected, result].map(({ shape }) => describe({ shape, dtype: 'f64' }));
    assert(there === here, `${name} is ${here} instead of ${there}`);
    const atol = result.atol?.(expected.data) ?? toleranceOf(golden, name, expected.data);
    onCompared?.({ name, expected: expected.data, found: result.data, atol });
    for (const [i, value] of result.data.entries()) {
      // Equal infinities have no difference: the logarithm of a weight 0.
      const error = value === expected.data[i] ? 0 : Math.abs(value - expected.data[i]!);
      const ratio = error === 0 ? 0 : error / atol;
      const over = ratio >= 0 ? ratio : Number.POSITIVE_INFINITY; // NaN
      if (over > worst) [worst, where] = [over, name];
    }
  }
  return { worst, where };
}

/** The tolerance of the sidecar; without one, 8 times the original's own float32 error, at least 2e-6 of the maximum. */
function toleranceOf({ sidecar }: GoldenCase, name: string, expected: Float64Array): number {
  const suggested = sidecar.suggested.get(name);
  if (suggested !== undefined) return suggested;
  const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return Math.max(8 * (sidecar.float32Error.get(name) ?? 0), 2e-6 * largest);
}
