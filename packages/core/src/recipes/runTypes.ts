import type { Backend } from '../backend.ts';
import type {
  Design,
  DesignTargets,
  StreamedNumerics,
  StreamedProgress,
} from '../decoders/ridge/streamed/types.ts';
import type { RidgeForm } from '../decoders/ridge/types.ts';
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
  readonly heads: readonly RunHead[];
}

export interface RunOptions {
  backend: Backend;
  /** Weights for a bundle, or predictions of the test rows alone, which need no weights. */
  keep: 'weights' | 'predictions';
  precision: Recipe['precision'];
  /** Weights of training rows (dual) or of voxels (primal); by default the fewer. */
  storage?: RidgeForm | 'auto' | undefined;
  /** Ceiling of resident bytes. */
  memory?: number | undefined;
  /** Resident bytes of the process before the run, packed responses in memory included; counted under the ceiling. */
  resident?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: RunProgress) => void) | undefined;
}

export interface RunProgress extends Omit<StreamedProgress, 'phase'> {
  readonly phase: StreamedProgress['phase'] | 'voxels';
  /** The head at work; none while a design is factorised. */
  readonly head?: string | undefined;
}

/** What a head came to. */
export interface HeadOutcome {
  readonly name: string;
  readonly storage: RidgeForm;
  /** Of a choice: how many targets took each alpha, and the mean score over targets. */
  readonly alpha: number | { readonly chosen: Readonly<Record<string, number>>; readonly score: number };
}

export interface RunOutcome {
  readonly heads: readonly HeadOutcome[];
  /** How each design was computed. */
  readonly numerics: readonly StreamedNumerics[];
  /** What each design's voxels were centred on after their normalisation, [voxels]; zeros without intercept. */
  readonly centers: readonly Float32Array[];
  readonly warnings: readonly string[];
  readonly flops: number;
  readonly fileSeconds: number;
}
