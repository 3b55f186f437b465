import type { LabelEvaluation } from '@fmri2image/core';
import type { ReportCommon } from '../data.ts';

/** Everything that a report of decoded labels says, before it is words and pictures. */
export interface LabelReportData extends ReportCommon {
  /** With the scores of all rearrangements. */
  readonly evaluation: LabelEvaluation;
}

/** Whether every trial was new to its decoder. */
export const isHeldOut = ({ results }: LabelReportData) => results.items.every(({ seen }) => seen === 'no');
