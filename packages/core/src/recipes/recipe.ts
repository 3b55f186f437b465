import type { Average } from '../data/recording/recording.ts';
import type { Numerics } from '../decoders/ridge/precision.ts';
import type { RENORMALISATIONS } from '../decoders/ridge/renormalise.ts';
import type { AlphaScore } from '../decoders/ridge/scores.ts';
import type { Quirk } from './quirks.ts';

/** Renormalisation of predictions, or none: see `renormalise`. */
export type HeadRenormalisation = (typeof RENORMALISATIONS)[number] | 'none';

/** A penalty that is chosen by cross-validation. */
export interface AlphaChoice {
  readonly grid: readonly number[];
  readonly folds: FoldSettings;
  readonly score: AlphaScore;
  /** One alpha for each target, or one for all of the head. */
  readonly perTarget: boolean;
}

export interface FoldSettings {
  readonly count: number;
  /** Shuffled by this seed; blocks of successive rows when absent. */
  readonly seed?: number | undefined;
  /** Whether rows of one picture stay in one fold. */
  readonly together: boolean;
}

/** Settings of one regression of a recipe. */
export interface HeadSettings {
  /** ROIs whose voxels it reads, as `regionColumns` takes them (`streams:early+ventral`); `all` for all voxels. */
  readonly roi: string;
  /** Where the repeats of a training picture are averaged; `none`: it is fitted on single trials. */
  readonly average: Exclude<Average, 'predictions'>;
  readonly alpha: number | AlphaChoice;
  readonly intercept: boolean;
  /** Divide each row of normalised voxels by its Euclidean norm. */
  readonly unitVoxels: boolean;
  /** Divide each token (the last axis) of the targets by its Euclidean norm. */
  readonly unitTargets: boolean;
  readonly renormalise: HeadRenormalisation;
}

/** One set of targets that is regressed on voxels: a latent, tokens of a network. */
export interface RecipeHead extends HeadSettings {
  /** What `--targets NAME=FILE` calls it. */
  readonly name: string;
  /** Of what the targets are, for people. */
  readonly what: string;
  /** Axes of the target of one picture; as the file has them when absent. */
  readonly shape?: readonly number[] | undefined;
}

/** How a published study went from single-trial responses to predicted features: all of it is data. */
export interface Recipe {
  readonly name: string;
  readonly title: string;
  readonly paper: string;
  /** Where its code is. */
  readonly repository: string;
  /** Name of the split into training and test trials. */
  readonly split: string;
  /** Name of the normalisation of voxels. */
  readonly normalisation: string;
  /** Where the repeats of a test picture are averaged. */
  readonly testAverage: Average;
  readonly precision: Numerics['precision'] | 'refined' | 'auto';
  readonly heads: readonly RecipeHead[];
  /** Peculiarities of the original that are defaults here, and the option that changes each. */
  readonly quirks: readonly Quirk[];
  /** What the publications leave open and was inferred, in words. */
  readonly inferred: readonly string[];
  readonly published: Published;
}

export interface Published {
  /** Averages over subjects 1, 2, 5 and 7, of reconstructed pictures: nothing here computes them. */
  readonly scores: readonly { readonly name: string; readonly value: number }[];
  /** What its own code spends, in words. */
  readonly cost: string;
}
