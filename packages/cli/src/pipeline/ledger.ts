import { type FittedStep, keepsToOwnRun } from '@fmri2image/core';

/** Nothing can pass from test to training data in such a step. */
export const OWN_RUN = 'its own run only, without labels';

/** Whether a step saw the test data, as people read it: that a run was cleaned by itself is no leak. */
export function sawTestInWords(step: FittedStep): string {
  return step.sawTest === 'yes' && keepsToOwnRun(step) ? OWN_RUN : step.sawTest;
}
