import { STATISTICS, targetsOf } from '../decoders/heads/model.ts';
import { formOf } from './form.ts';
import type { RunDesign, RunOptions } from './runTypes.ts';

/** Bytes that a run writes: what is asked for, and numbers of each target. */
export interface RunBytes {
  /** Weights, and for those of training rows the rows themselves. */
  readonly weights: number;
  readonly predictions: number;
  readonly statistics: number;
  /** Whether weights may take twice as much: where the condition asks for float64, which is known later. */
  readonly mayDouble: boolean;
}

/** What a run will write, from its plan alone; headers of files are not counted. */
export function runBytes(
  designs: readonly RunDesign[],
  options: Pick<RunOptions, 'keep' | 'precision' | 'storage'>,
): RunBytes {
  const { keep, precision } = options;
  let [weights, predictions, statistics, mayDouble] = [0, 0, 0, false];
  for (const { design, groups, heads } of designs) {
    const isDual = formOf(design, options) === 'dual';
    const targets = heads.reduce((sum, { head }) => sum + targetsOf(head), 0);
    statistics += 8 * STATISTICS.length * targets;
    if (keep !== 'weights') predictions += 4 * targets * (groups?.length ?? design.test);
    if (keep === 'predictions') continue;
    // Dual weights of an ill-conditioned fit are kept in float64; training rows never are.
    weights += targets * (isDual ? design.train * (precision === 'f64' ? 8 : 4) : design.voxels * 4);
    if (isDual) weights += 4 * design.train * design.voxels;
    mayDouble ||= isDual && precision === 'auto';
  }
  return { weights, predictions, statistics, mayDouble };
}
