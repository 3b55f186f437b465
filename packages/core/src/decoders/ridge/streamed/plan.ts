import { F2iError } from '../../../error.ts';
import type { RidgeForm } from '../types.ts';
import type { StreamedPhase, StreamedPrecision } from './types.ts';

/** Voxels that are multiplied at once: fixed, so that results are. */
export const VOXEL_BLOCK = 2048;

/**
 * Targets that are solved or predicted at once: a function of the rows alone, so that results are fixed. Wider blocks pack
 * factors and hat matrices less often, as long as a block stays in a processor's last cache.
 */
export const targetBlock = (train: number): number => (train <= 4096 ? 2048 : 1024);

/** What a process of its own and the packed operands of products take beside the matrices. */
const PROCESS_BYTES = 224 * 2 ** 20;
/** Blocks of targets are read together up to so many bytes: rows of a file lie far apart. */
const READ_BYTES = 160 * 2 ** 20;
const MOST_AT_ONCE = 16;
/** Weights of voxels are held for so many bytes at most before they are written. */
const PRIMAL_BYTES = 2 ** 30;

export interface StreamedSizes {
  readonly train: number;
  readonly test: number;
  readonly voxels: number;
  /** Values of a target set; as many as there may be by default. */
  readonly targets?: number | undefined;
  /** Different penalties among them: each has a hat matrix, and for weights a factor. */
  readonly alphas?: number | undefined;
  readonly precision: StreamedPrecision;
  readonly form?: RidgeForm | 'auto' | undefined;
  readonly trainingStatistics?: boolean | undefined;
  /** Do predictions come along with weights? */
  readonly predictions?: boolean | undefined;
  /** Ceiling of resident bytes; none by default. */
  readonly memory?: number | undefined;
}

/** What a streamed ridge will hold. */
export interface StreamedPlan {
  readonly form: RidgeForm;
  /** Largest resident size in each phase, in bytes, at the smallest blocks of files. */
  readonly bytes: Readonly<Record<StreamedPhase, number>>;
  /** Blocks of targets that are read at once in a phase. */
  readonly readAtOnce: Readonly<Record<'predict' | 'dual' | 'primal', number>>;
  /** Blocks of weights of voxels that are held at once. */
  readonly primalAtOnce: number;
}

/**
 * Plans the memory of a streamed ridge before it begins. The blocks of computation are fixed; what memory is left widens the
 * blocks that are read from files.
 *
 * @param phases that must fit
 * @throws OUT_OF_MEMORY with both numbers where one of the phases cannot fit
 */
export function planStreamed(
  sizes: StreamedSizes,
  phases: readonly StreamedPhase[] = ['gram', 'factor', 'predict'],
): StreamedPlan {
  const { train: n, test: m, voxels: p, precision, alphas = 1, memory } = sizes;
  const form = sizes.form === undefined || sizes.form === 'auto' ? (n <= p ? 'dual' : 'primal') : sizes.form;
  const equation = precision === 'f32' ? 4 : 8; // bytes of a number of the equations
  const product = precision === 'f64' ? 8 : 4; // of a factor, a hat matrix, a prediction
  const s = form === 'dual' ? n : p;
  const width = Math.min(targetBlock(n), sizes.targets ?? Number.POSITIVE_INFINITY);
  const voxels = Math.min(VOXEL_BLOCK, p);

  const matrix = s * s * equation;
  const cross = s * m * equation;
  const design = form === 'primal' ? n * p * equation : 0;
  const factor = s * s * product;
  const hat = n * m * product;
  /** Two blocks of voxels as they were read, and one centred in the type of the equations. */
  const reading = (n + m) * voxels * (2 * 4 + 2 * equation);
  // A solution by refinement holds right-hand sides, solution, residual and correction.
  const solving = (columns: number) => s * columns * equation * (precision === 'refined' ? 5 : 3);
  const held = matrix + cross + design;
  const statistics = sizes.trainingStatistics ? n * width * 2 * equation : 0;

  const gram = form === 'dual' ? 3 * matrix + 2 * cross + reading : held + design + cross + reading;
  // Rounding the equations for a factor in float32 takes them once more.
  const factoring = held + factor * (alphas + (precision === 'refined' ? 1 : 0));
  const perRead = n * width * 4; // one block of targets, as it was read
  const weights = sizes.trainingStatistics ? alphas * factor + solving(width) : 0;
  const predicting =
    held +
    alphas * hat +
    Math.max(factor + solving(m), weights + statistics + n * width * 3 * product + 4 * m * width * product);
  // As they are computed, as they are rounded, and two blocks on the host.
  const beside = sizes.predictions ? m * width * (equation + 3 * product) : 0;
  // Weights may be transposed for the sink.
  const dual =
    held + alphas * factor + solving(width) + n * width * (3 * equation + product) + statistics + beside;
  const ofBlock = p + (sizes.predictions ? m : 0);
  const primalBlock = form === 'dual' ? n * width * equation + ofBlock * width * product : 0;
  const primal = dual + primalBlock + (form === 'dual' ? reading : 2 * p * width * product);
  const folds = held + 2 * matrix + 2 * factor + 256 * 2 ** 20;

  const plain = {
    gram,
    factor: factoring,
    'cross-validate': folds,
    predict: predicting + 2 * perRead,
    dual: dual + 2 * perRead,
    primal: primal + 2 * perRead,
  };
  const bytes = Object.fromEntries(
    Object.entries(plain).map(([phase, size]) => [phase, size + PROCESS_BYTES]),
  ) as Record<StreamedPhase, number>;
  for (const phase of phases) if (memory !== undefined && bytes[phase] > memory) refuse(phase);

  /** One block is read, and one written, while others are computed. */
  const atOnce = (phase: 'predict' | 'dual' | 'primal', rows: number) => {
    const room = (memory ?? Number.POSITIVE_INFINITY) - bytes[phase];
    const written = rows * width * product;
    const more = Math.min(
      Math.floor(room / (2 * (perRead + written))),
      Math.floor(READ_BYTES / perRead) - 1,
      MOST_AT_ONCE - 1,
    );
    return 1 + Math.max(0, more);
  };
  const readAtOnce = { predict: atOnce('predict', m), dual: atOnce('dual', n), primal: 1 };
  const room = Math.min((memory ?? Number.POSITIVE_INFINITY) - bytes.primal, PRIMAL_BYTES);
  const primalAtOnce = 1 + (primalBlock > 0 ? Math.max(0, Math.floor(room / primalBlock)) : 0);
  return { form, bytes, readAtOnce, primalAtOnce };

  function refuse(phase: StreamedPhase): never {
    const smaller = [
      ...(precision === 'f32' ? [] : ['float32']),
      ...(alphas > 1 ? ['one penalty for all targets'] : []),
      form === 'dual' ? 'fewer training rows (the average of repeats)' : 'fewer voxels',
    ];
    throw new F2iError(
      'OUT_OF_MEMORY',
      `the ridge does not fit into memory; less takes ${smaller.join(', ')}`,
      {
        field: 'memory',
        expected: `at most ${inWords(memory!)}`,
        found: `${inWords(bytes[phase])} for ${WORDS[phase]} of ${n} training rows x ${p} voxels`,
      },
    );
  }
}

const WORDS: Readonly<Record<StreamedPhase, string>> = {
  gram: 'the equations',
  factor: 'the factors',
  'cross-validate': 'the cross-validation',
  predict: 'the predictions',
  dual: 'the weights of trials',
  primal: 'the weights of voxels',
};

/** `386 MB`, `4.24 GB`: powers of ten. */
const inWords = (bytes: number) =>
  bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(Math.ceil(bytes / 1e7) / 100).toFixed(2)} GB`;
