import type { Evaluation, MetricResult } from '@fmri2image/core';
import { decimal } from './numbers.ts';

/** What is had without a brain, beside which a score is read: docs/scores.md. */

/** The control that gives every trial the same answer: the mean training picture, or mean training features. */
export const CONSTANT = 'constant prediction';

/**
 * Whether guessing reaches some level. Of a correlation it reaches none: that of unrelated values is 0, but all pictures
 * have something in common, which every prediction shares with them; what that is worth, the constant prediction says.
 */
export const canBeGuessed = ({ chance }: Pick<MetricResult, 'chance'>): boolean => chance > 0;

/** `0.5`, or the share of a pool: `0.0033`; `none` of a correlation. */
export const chanceInWords = (chance: number): string =>
  !canBeGuessed({ chance }) ? 'none' : Number.isInteger(10 * chance) ? chance.toFixed(1) : decimal(chance);

/**
 * What the constant prediction scores. An image that seeks its response finds all of them alike, and ties count as
 * failures: of that direction the constant says nothing.
 */
export const constantOf = (
  metric: MetricResult,
  { retrieval }: Pick<Evaluation, 'retrieval'>,
): number | undefined => (metric === retrieval?.imageToBrain ? undefined : metric.meanPicture);

/** Where a plot of a score has its line: what takes no brain. */
export interface Baseline {
  readonly at: number;
  readonly text: string;
}

export const baselineOf = (metric: MetricResult): Baseline =>
  canBeGuessed(metric)
    ? { at: metric.chance, text: 'chance' }
    : metric.meanPicture === undefined
      ? { at: 0, text: 'unrelated' }
      : { at: metric.meanPicture, text: 'constant' };
