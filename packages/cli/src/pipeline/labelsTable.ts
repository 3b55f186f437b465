import { blocksOf, labelOf, type Study } from '@fmri2image/core';
import type { Results } from './results.ts';

/** A column of labels.tsv; what it means goes into a BIDS sidecar. */
interface Column {
  readonly name: string;
  readonly description: string;
  readonly value: (item: number) => string | number | undefined;
}

/** The decoded labels, one line a trial: for people, and as a BIDS sidecar. */
export interface LabelsTable {
  readonly tsv: string;
  readonly sidecar: { readonly [column: string]: { readonly Description: string } };
}

/** True label, where the study states one, decoded label and the score of each, of every item. */
export function labelsTable(study: Study, { items, values, labels: names = [] }: Results): LabelsTable {
  const k = names.length;
  const decoded = items.map((_, i) => labelOf(names, values.data.subarray(i * k, (i + 1) * k)));
  const blocks = blocksOf(study);
  const truth = items.map(({ trials }) => study.trials[trials[0]!]?.label);
  const columns: Column[] = [
    {
      name: 'trial',
      description: 'Number of the trial in the study, from 1',
      value: (i) => items[i]!.trials.map((trial) => trial + 1).join('+'),
    },
    { name: 'run', description: 'Run of the trial', value: (i) => items[i]!.run },
    {
      name: 'block',
      description: 'Number of its block, from 1: volumes of one label that follow each other in a run',
      value: (i) => blocks[items[i]!.trials[0]!]! + 1,
    },
    { name: 'label', description: 'Label of the trial in the study', value: (i) => truth[i] },
    { name: 'decoded', description: 'Label with the highest score', value: (i) => decoded[i]!.name },
    {
      name: 'correct',
      description: '1 where both are the same, 0 otherwise',
      value: (i) => (truth[i] === undefined ? undefined : Number(truth[i] === decoded[i]!.name)),
    },
    ...names.map((name, j) => ({
      name: `score_${name}`,
      description: `Score of the label ${name}: the larger, the likelier; not a probability`,
      value: (i: number) => values.data[i * k + j]!.toFixed(6),
    })),
  ];
  const lines = items.map((_, i) => columns.map(({ value }) => cell(value(i))).join('\t'));
  return {
    tsv: `${[columns.map(({ name }) => cell(name)).join('\t'), ...lines].join('\n')}\n`,
    sidecar: Object.fromEntries(columns.map(({ name, description }) => [name, { Description: description }])),
  };
}

function cell(value: string | number | undefined): string {
  return value === undefined || value === '' ? 'n/a' : String(value).replace(/[\s\p{Cc}]/gu, ' ');
}
