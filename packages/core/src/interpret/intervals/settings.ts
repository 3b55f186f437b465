import type { Precision } from '../../decoders/ridge/precision.ts';
import { hasFloat64 } from '../../float64.ts';
import { invalid } from '../weightMap.ts';
import { groupsOf } from './draws.ts';
import type { WeightIntervalOptions } from './types.ts';

const DRAWS = 1000;
const LEVEL = 0.95;
const FEWEST_GROUPS = 5;

/** How intervals are drawn, with nothing left open. */
export interface DrawSettings {
  /** Lists of training rows that are drawn together. */
  readonly groups: readonly (readonly number[])[];
  readonly draws: number;
  readonly seed: number;
  readonly level: number;
  readonly precision: Precision;
}

/**
 * Settings with their defaults.
 *
 * @param rows of training
 * @throws INVALID_ARGUMENT for what will not do
 */
export function drawSettings(rows: number, options: WeightIntervalOptions): DrawSettings {
  const { backend, targets, groups: labels, draws = DRAWS, seed = 0, level = LEVEL, memory } = options;
  if (targets.length === 0) throw invalid('targets', 'no target to map', 'one or more', 'none');
  if (labels && labels.length !== rows) {
    throw invalid('groups', 'one group for each training row', `${rows}`, `${labels.length}`);
  }
  if (!(Number.isInteger(draws) && draws >= 100 && draws <= 1e5)) {
    throw invalid('draws', 'intervals need a sensible number of draws', '100 to 100000', `${draws}`);
  }
  if (!(level > 0 && level < 1)) throw invalid('level', 'not a level', 'between 0 and 1', `${level}`);
  if (memory !== undefined && !(memory >= 0)) {
    throw invalid('memory', 'not a ceiling', 'a number of bytes', `${memory}`);
  }
  const groups = groupsOf(rows, labels);
  if (groups.length < FEWEST_GROUPS) {
    const found = `${groups.length}`;
    throw invalid('groups', 'too few groups to tell their spread', `at least ${FEWEST_GROUPS}`, found);
  }
  const precision = options.precision ?? (hasFloat64(backend) ? 'f64' : 'f32');
  return { groups, draws, seed, level, precision };
}
