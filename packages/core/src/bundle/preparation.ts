import type { PreparationStep } from '../data/study/prepare.ts';
import { F2iError } from '../error.ts';
import type { BundleInput } from './contents.ts';
import { MODEL_FILE } from './schema.ts';

/**
 * The preparation that a decoder was fitted with, for `prepareStudy`. Skipping a step that is unknown here would
 * mislead.
 *
 * @param file where the description lies, for errors
 * @example const { voxels, runs } = prepareStudy(study, preparationOf(decoder.model));
 * @throws UNSUPPORTED for a step of another version
 */
export function preparationOf(
  { input }: { readonly input: Pick<BundleInput, 'preprocess'> },
  file: string = MODEL_FILE,
): PreparationStep[] {
  return (input.preprocess ?? []).map(({ name, settings }, i): PreparationStep => {
    const { cutoffSeconds, delays, by } = (settings ?? {}) as Record<string, unknown>;
    if (name === 'detrend' && typeof cutoffSeconds === 'number') return { name, settings: { cutoffSeconds } };
    if (name === 'zscore' && by === 'run') return { name, settings: { by } };
    if (name === 'sample' && Array.isArray(delays) && delays.every((delay) => typeof delay === 'number')) {
      return { name, settings: { delays } };
    }
    throw new F2iError('UNSUPPORTED', 'the bundle asks for a preparation that this version does not know', {
      file,
      field: `input.preprocess.${i}`,
      expected: 'detrend, zscore or sample, with their settings',
      found: JSON.stringify({ name, settings }),
    });
  });
}

/** What one row of betas is made of, where the preparation tells: the same voxels, read at several delays. */
export function rowOfInput({ voxels: values, preprocess }: Pick<BundleInput, 'voxels' | 'preprocess'>): {
  readonly values: number;
  readonly voxels: number;
  readonly delays: number;
} {
  const sample = preprocess?.findLast(({ name }) => name === 'sample');
  const { delays } = (sample?.settings ?? {}) as { delays?: unknown };
  const count = Array.isArray(delays) ? delays.length : 1;
  return count > 1 && values % count === 0
    ? { values, voxels: values / count, delays: count }
    : { values, voxels: values, delays: 1 };
}
