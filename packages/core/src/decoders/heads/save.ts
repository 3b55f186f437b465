import type { BundleContents, BundleInput, BundleTensor, FittedStep } from '../../bundle/contents.ts';
import { type SaveOptions, writeModel } from '../../bundle/save.ts';
import type { Json } from '../../data/json.ts';
import type { WriteFile } from '../../data/source.ts';
import {
  designTensor,
  HEADS_KIND,
  type HeadStatistics,
  type HeadsConfig,
  headTensor,
  STATISTICS,
  type StatisticName,
  targetsOf,
} from './model.ts';

/** Small numbers of a design: what single trials need before weights. */
export interface DesignNumbers {
  /** Of the betas, ascending. */
  readonly columns: Int32Array;
  readonly mean: Float32Array;
  readonly std: Float32Array;
  readonly center: Float32Array;
}

/** A bundle of ridge heads without its matrices. */
export interface HeadsBundle {
  readonly config: HeadsConfig;
  readonly input: BundleInput;
  readonly report: { readonly [key: string]: Json };
  readonly ledger: readonly FittedStep[];
  readonly designs: readonly DesignNumbers[];
  /** In the order of `config.heads`. */
  readonly statistics: readonly HeadStatistics[];
}

/** A matrix that lies in files of weights already. */
export interface PlacedMatrix {
  /** `head.vision.weights` */
  readonly name: string;
  readonly dtype: 'f32' | 'f64';
  readonly shape: readonly number[];
  readonly parts: readonly { readonly file: string; readonly rows: number }[];
}

/** Files of weights, as model.json describes them. */
export type WeightFiles = Readonly<
  Record<string, { readonly bytes: number; readonly chunkBytes: number; readonly sha256: readonly string[] }>
>;

const MEANINGS: Readonly<Record<StatisticName, string>> = {
  alpha: 'penalty of each target; not needed to predict',
  target_mean: 'mean of each target over training rows',
  target_std: 'standard deviation of each target over training rows (divisor n)',
  prediction_mean: 'mean of each prediction over training rows; NaN where it was not computed',
  prediction_std: 'standard deviation of each prediction over training rows (divisor n); NaN as above',
};

/** Vectors of a bundle: they lie in one file. */
export function smallTensors({ config, designs, statistics }: HeadsBundle): BundleTensor[] {
  const ofDesigns = designs.flatMap(({ columns, mean, std, center }, d): BundleTensor[] => {
    const shape = [columns.length];
    const f32 = (part: 'voxel_mean' | 'voxel_std' | 'center', data: Float32Array, meaning: string) =>
      ({ name: designTensor(d, part), dtype: 'f32', shape, data, meaning }) as const;
    return [
      {
        name: designTensor(d, 'columns'),
        dtype: 'i32',
        shape,
        data: columns,
        meaning: 'columns of the betas that the design reads',
      },
      f32('voxel_mean', mean, 'subtracted from each voxel'),
      f32('voxel_std', std, 'divides each voxel then; one with 0 becomes 0'),
      f32('center', center, 'subtracted from each voxel last: its mean over training rows'),
    ];
  });
  const ofHeads = config.heads.flatMap(({ name, shape }, h) =>
    STATISTICS.map(
      (part): BundleTensor => ({
        name: headTensor(name, part),
        dtype: 'f64',
        shape: [targetsOf({ shape })],
        data: statistics[h]![part],
        meaning: MEANINGS[part],
      }),
    ),
  );
  return [...ofDesigns, ...ofHeads];
}

/** What matrices mean, by the last part of their name. */
function meaningOf(name: string): string {
  return name.endsWith('.weights')
    ? 'targets by training rows (dual) or voxels (primal)'
    : 'training rows, normalised and centred: voxels by rows';
}

/** All of `model.json` but its tensors and files. */
function headsFields({ config, input, report, ledger }: HeadsBundle): Omit<BundleContents, 'tensors'> {
  const [main] = config.heads;
  return {
    kind: HEADS_KIND,
    input,
    output: { kind: 'features', shape: main!.shape, name: main!.what },
    config: { ...config },
    report,
    ledger,
    seed: 0,
    containsTrainingData: config.heads.some(({ storage }) => storage === 'dual'),
  };
}

/**
 * Writes `model.json` of a bundle whose weights are there.
 *
 * @param small the file that holds the vectors
 * @returns the content hash
 */
export function writeHeadsModel(
  bundle: HeadsBundle,
  matrices: readonly PlacedMatrix[],
  { small, files }: { small: string; files: WeightFiles },
  write: WriteFile,
  options: SaveOptions,
): Promise<string> {
  const vectors = smallTensors(bundle).map(({ name, dtype, shape, meaning }) => {
    const parts = [{ file: small, rows: shape[0]! }];
    return [name, { dtype, shape, meaning, parts }];
  });
  const large = matrices.map(({ name, ...matrix }) => [name, { ...matrix, meaning: meaningOf(name) }]);
  return writeModel(
    { ...headsFields(bundle), tensors: Object.fromEntries([...vectors, ...large]), files },
    write,
    { version: 2, ...options },
  );
}

/** The whole bundle, matrices included, for one that fits in memory: `saveBundle` takes it. */
export function headsContents(
  bundle: HeadsBundle,
  matrices: readonly Omit<BundleTensor, 'meaning'>[],
): BundleContents {
  const large = matrices.map((matrix) => ({ ...matrix, meaning: meaningOf(matrix.name) }) as BundleTensor);
  return { ...headsFields(bundle), tensors: [...smallTensors(bundle), ...large] };
}
