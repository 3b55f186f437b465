import { hasFloat64 } from '../float64.ts';
import type { Tensor } from '../tensor.ts';
import { CONDITION, overCovariance, overVariances } from './covariance.ts';
import { centredPredictions } from './predictions.ts';
import { overLags, projectRows } from './project.ts';
import type { DesignColumns, Readout } from './readout.ts';
import {
  blocksOf,
  combineOf,
  invalid,
  inWords,
  type MapOptions,
  targetsOf,
  type VoxelMap,
} from './weightMap.ts';

/**
 * - `joint`: A = Cov(x) W Cov(s)⁻¹ (Haufe et al. 2014, equation 6): what voxels do when one prediction changes and the
 *   others do not. Needs the covariance of the predictions to be invertible: fewer targets than training rows.
 * - `univariate`: Cov(x, s_k) / Var(s_k) for each target by itself (their equation 7, predictions taken as uncorrelated):
 *   what voxels do when one prediction changes, others along with it. For any number of targets.
 */
export type PatternForm = 'joint' | 'univariate';

export interface PatternOptions extends MapOptions {
  /** By default `joint` where there are fewer targets than half the training rows, else `univariate`. */
  form?: PatternForm | undefined;
  /** Responses to estimate covariances from, where the read-out does not keep those it was trained on. */
  design?: DesignColumns | undefined;
}

/**
 * Haufe pattern of a linear read-out: how the activity of each voxel varies with what is predicted. Patterns may be read as
 * activity where weights may not (Haufe et al. 2014, NeuroImage 87:96-110).
 *
 * Out of the predictions S = Z W of the training rows, [n, t]: A = Zᵀ S (Sᵀ S)⁻¹, in blocks of voxels and of targets; no
 * matrix of voxels by voxels is made. Where Sᵀ S is singular, a multiple of the identity is added, which `notes` say.
 *
 * @throws INVALID_ARGUMENT without responses, and for targets that there are not
 */
export async function patternMap(readout: Readout, options: PatternOptions): Promise<VoxelMap> {
  const { backend, signal } = options;
  const design = options.design ?? readout.design;
  if (!design) {
    throw invalid('design', 'patterns need responses to estimate covariances from', 'training rows', 'none');
  }
  const columns = targetsOf(readout, options.targets);
  const combine = combineOf(columns, options);
  const form = options.form ?? (columns.length < design.rows / 2 ? 'joint' : 'univariate');
  const precision = options.precision ?? (hasFloat64(backend) ? 'f64' : 'f32');
  const ops = { backend, precision, signal };
  const width = readout.voxels * readout.lags;
  const notes: string[] = [];

  async function* rowWeights(): AsyncGenerator<Tensor, void, void> {
    // Jointly, all predictions are needed at once; by themselves, blocks of them.
    for (const block of form === 'joint' ? [columns] : blocksOf(columns, design!.rows)) {
      const s = await centredPredictions(readout, design!, block, ops);
      try {
        if (form === 'univariate') {
          yield backend.scope(() => overVariances(s, { signal }));
        } else {
          const { weights, condition, shift } = await overCovariance(s, { signal });
          if (shift > 0) notes.push(regularised(condition, CONDITION[precision]));
          yield weights;
        }
      } finally {
        s.dispose();
      }
    }
  }
  const values = await projectRows(design, width, rowWeights(), combine, ops, true);
  for (let i = 0; i < width; i++) if (!(readout.scale[i]! > 0)) values[i] = 0;
  const others =
    columns.length === 1 ? '' : form === 'joint' ? ', the other predictions held fixed' : ', each by itself';
  return {
    values: overLags(values, readout.voxels, combine),
    combine,
    units: `${readout.unit.many} per unit of the predicted target`,
    description: `${inWords(combine, columns.length, readout)} of the activation pattern (Haufe et al. 2014): how the response of the voxel varies with the prediction${others}`,
    notes,
  };
}

function regularised(condition: number, limit: number): string {
  const how = Number.isFinite(condition) ? `condition number ${condition.toExponential(0)}` : 'singular';
  return `the covariance of the predictions has no stable inverse (${how}); a multiple of the identity brought its condition number to ${limit.toExponential(0)}`;
}
