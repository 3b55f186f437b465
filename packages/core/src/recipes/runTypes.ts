import type { Backend } from '../backend.ts';
import type { Json } from '../data/json.ts';
import type {
  Design,
  DesignTargets,
  StreamedNumerics,
  StreamedProgress,
} from '../decoders/ridge/streamed/types.ts';
import type { RidgeForm } from '../decoders/ridge/types.ts';
import type { BandWeights, RunBands } from './bands/weighBands.ts';
import type { Recipe, RecipeHead } from './recipe.ts';

/** One head of a run: what is regressed, and its shape. */
export interface RunHead {
  readonly head: RecipeHead & { readonly shape: readonly number[] };
  readonly targets: DesignTargets;
}

/** Heads that read the same rows of the same voxels, and so share one factorisation. */
export interface RunDesign {
  readonly design: Design;
  /** Picture of each training row. */
  readonly pictures: Int32Array;
  /** Rows of the test whose predictions are averaged; each by itself when absent. */
  readonly groups?: readonly (readonly number[])[] | undefined;
  readonly intercept: boolean;
  /** ROIs with penalties of their own, of a design that has one head; none where it is plain ridge. */
  readonly bands?: RunBands | undefined;
  readonly heads: readonly RunHead[];
}

/**
 * What a run leaves: weights for a bundle; predictions of the test rows alone, which need no weights; or `both`, of one pass
 * over the targets, in which predictions are made of the weights.
 */
export type RunKeep = 'weights' | 'predictions' | 'both';

export interface RunOptions {
  backend: Backend;
  keep: RunKeep;
  precision: Recipe['precision'];
  /** Weights of training rows (dual) or of voxels (primal); by default the fewer. */
  storage?: RidgeForm | 'auto' | undefined;
  /** Ceiling of resident bytes. */
  memory?: number | undefined;
  /** Ceiling of the memory of a device that has its own, in bytes. */
  deviceMemory?: number | undefined;
  /** Resident bytes of the process before the run, packed responses in memory included; counted under the ceiling. */
  resident?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: RunProgress) => void) | undefined;
}

export interface RunProgress extends Omit<StreamedProgress, 'phase'> {
  readonly phase: StreamedProgress['phase'] | 'voxels' | 'bands';
  /** The head at work; none while a design is factorised. */
  readonly head?: string | undefined;
}

/** Operations of a run, and its waits for files. */
export interface RunWork {
  readonly flops: number;
  readonly fileSeconds: number;
}

/** Bands of a design, and what they make of its voxels. */
export interface WeightedBands {
  readonly weights: BandWeights;
  /** Multiplies the normalised voxels, [voxels]. */
  readonly scale: Float32Array;
}

/** What a head came to. */
export interface HeadOutcome {
  readonly name: string;
  readonly storage: RidgeForm;
  /** Of a choice: how many targets took each alpha, and the mean score over targets. */
  readonly alpha: number | { readonly chosen: Readonly<Record<string, number>>; readonly score: number };
}

export interface RunOutcome extends RunWork {
  readonly heads: readonly HeadOutcome[];
  /** How each design was computed. */
  readonly numerics: readonly StreamedNumerics[];
  /** Device, version and arithmetic, as a bundle keeps them. */
  readonly fittedBy: Json;
  /** What each design's bands weigh, and by what its voxels were multiplied for it, [voxels]; of those that have bands. */
  readonly bands: readonly (WeightedBands | undefined)[];
  /** What each design's voxels were centred on after their normalisation, [voxels]; zeros without intercept. */
  readonly centers: readonly Float32Array[];
  readonly warnings: readonly string[];
}
