import { F2iError, type Study } from '@fmri2image/core';
import type { ResultItem } from './results.ts';

/**
 * The stimulus of each item. What a folder says of its items is held against the study: a table of trials that was sorted
 * anew, or another person's, would be scored without a sign.
 *
 * @throws FORMAT where a trial of an item shows another stimulus in the study, by number or by name
 */
export function shownStimuli(study: Study, items: readonly ResultItem[]): number[] {
  const names = study.stimuli?.names;
  return items.map((item, i) => {
    const refuse = (field: string, expected: unknown, found: unknown) =>
      new F2iError(
        'FORMAT',
        'the reconstructions belong to another study, or its trials have changed since',
        {
          file: 'reconstructions.json',
          field: `items.${i}.${field}`,
          expected: `${expected} (${study.name})`,
          found: `${found}`,
        },
      );
    const { stimulus } = item;
    const other = item.trials.find((trial) => study.trials[trial]?.stimulus !== stimulus);
    if (stimulus === undefined || other !== undefined) {
      const trial = other ?? item.trials[0]!;
      throw refuse('stimulus', `${study.trials[trial]?.stimulus} in trial ${trial + 1}`, stimulus);
    }
    const name = names?.[stimulus];
    if (item.stimulusName !== undefined && name !== undefined && name !== item.stimulusName) {
      throw refuse('stimulusName', `${name} in trial ${item.trials[0]! + 1}`, item.stimulusName);
    }
    return stimulus;
  });
}
