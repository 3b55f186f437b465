import { type Study, studyInOrder } from '@fmri2image/core';
import type { Console } from '../console.ts';
import { describeTerms } from '../terms.ts';

/** A number with as many digits as a reader wants: 18.0505 is 18.05. */
export const readable = (value: number, digits = 4): string => String(Number(value.toPrecision(digits)));

/** Smallest and largest value. */
export function extent(data: ArrayLike<number>): string {
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return `${readable(least, 3)} to ${readable(most, 3)}`;
}

/** `60 pictures of 32 x 32, rgb`: a stack of pictures, or of rows of features. */
export function stack(kind: string, shape: readonly number[]): string {
  const [count, height, width, channels] = shape as [number, number?, number?, number?];
  if (!kind.startsWith('picture'))
    return `${counted(count, 'row')} of ${kind} of [${shape.slice(1).join(', ')}]`;
  return `${counted(count, 'picture')} of ${height} x ${width}${height === width ? '' : ' (height x width)'}, ${channels === 3 ? 'rgb' : 'grey'}`;
}

export const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

type Counts = Readonly<Record<string, number>>;

function countsOf(labels: readonly (string | undefined)[]): Counts {
  const counts = new Map<string, number>();
  for (const label of labels) if (label !== undefined) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Object.fromEntries(counts);
}

/** `90 train, 30 test`; of many, the first ten. */
function listed(counts: Counts, most = 10): string {
  const all = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return all.length <= most ? all.join(', ') : `${all.slice(0, most).join(', ')}, ... (${all.length} in all)`;
}

/** Prints what a study holds: sentences for people, every count for programs. */
export function describeStudy(path: string, study: Study, console: Console): void {
  const splits = countsOf(study.trials.map((trial) => trial.split));
  const labels = countsOf(study.trials.map((trial) => trial.label));
  // As trials have them: where rows are trials, the manifest seldom states runs.
  const runs = new Set(study.trials.map((trial) => trial.run)).size;
  const [rows, voxels] = study.voxels.shape as [number, number];
  const { stimuli, visualField, selection, repairs } = study;
  const named = study.trials.every(({ stimulusName }) => stimulusName !== undefined) && !stimuli;
  const { order, warning } = named ? studyInOrder(study) : {};
  const warnings = [...study.warnings, ...(warning === undefined ? [] : [warning])];
  console.result({
    name: study.name,
    description: study.description,
    dataTerms: study.dataTerms,
    consentReference: study.consentReference,
    pseudonym: study.pseudonym,
    rows: study.rows,
    tr: study.tr,
    voxels,
    selection: selection.description,
    volumesOrTrials: rows,
    runs,
    trials: study.trials.length,
    scored: study.scored.length,
    continuous: study.continuous,
    splits,
    labels,
    stimuli: stimuli && { kind: stimuli.kind, shape: stimuli.values.shape },
    stimulusOrder: order,
    visualField,
    warnings,
    repairs,
  });

  const line = (text: string) => console.print(`  ${text}`);
  console.print(`${path}: study ${study.name}`);
  if (study.description) line(study.description);
  for (const [what, text] of describeTerms(study)) line(`${what}: ${text}`);
  const split = Object.keys(splits).length > 0 ? ` (${listed(splits)})` : '';
  line(`${counted(study.trials.length, 'trial')} in ${counted(runs, 'run')}${split}`);
  if (study.scored.length < study.trials.length) line(`${study.scored.length} of them are scored`);
  if (Object.keys(labels).length > 0) line(`labels: ${listed(labels)}`);
  if (study.rows === 'volumes') {
    const what = study.continuous ? 'a stimulus that never stops' : 'separate trials';
    line(`a time series with ${what}: ${counted(rows, 'volume')}, ${readable(study.tr!)} s each`);
  }
  line(`${counted(voxels, 'voxel')}, ${extent(study.voxels.data)} (${selection.description})`);
  if (stimuli) line(`${stack(stimuli.kind, stimuli.values.shape)}, ${extent(stimuli.values.data)}`);
  else if (order !== undefined)
    line(`no stimuli, but trials name them ${order}: rows of features (--recipe custom) are in this order`);
  else if (study.trials.some(({ label }) => label === undefined))
    line('no stimuli, and trials without one by name: a column "stimulus" of their table would name it');
  else line('no stimuli');
  if (visualField) {
    const { widthDegrees, heightDegrees } = visualField;
    line(`pictures cover ${readable(widthDegrees)} x ${readable(heightDegrees)} degrees (width x height)`);
  }
  for (const repair of repairs) line(`repaired: ${repair}`);
  for (const warning of warnings) line(`warning: ${warning}`);
}
