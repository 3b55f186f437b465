import { keepsToOwnRun, rowOfInput } from '@fmri2image/core';
import { shownAs, stagesOf } from '../features.ts';
import type { BundleFacts, DecoderFacts, ResponsesFacts } from '../state.ts';
import { subjectsOf, subjectText } from '../subjects.ts';
import { bytesText, counted, fact, h } from './dom.ts';

const SAW = { no: 'no', yes: 'yes', unknown: 'unknown' } as const;

/** One of several, and what to do when the person takes another. */
interface Choice<T> {
  readonly chosen: T | undefined;
  choose(value: T): void;
}

/** What the bundle is, in the words of its `model.json`. */
export function bundleFacts(
  { name, model }: BundleFacts,
  decoder: DecoderFacts | undefined,
  stages: Choice<string>,
  subjects: Choice<number>,
): HTMLElement {
  const { kind, contentHash, input, ledger, containsTrainingData, files } = model;
  const output = decoder?.output ?? model.output;
  const [height, width, channels = 1] = output.shape;
  const makes =
    output.kind === 'picture'
      ? `pictures, ${height} × ${width} pixels, ${channels === 3 ? 'colour' : 'grey'}`
      : output.kind === 'labels'
        ? `labels: ${output.names.join(', ')}`
        : `features [${output.shape.join(', ')}]${output.name ? ` of ${output.name}` : ''}, shown as ${shownAs(output.shape).what}`;
  const seen = ledger.filter((step) => step.sawTest !== 'no' && !keepsToOwnRun(step));
  return h(
    'div',
    {},
    h('p', { class: 'name' }, name),
    h(
      'dl',
      { class: 'facts' },
      fact('Kind', kind),
      fact('Identity', h('code', { title: contentHash, class: 'hash' }, contentHash.slice(0, 12))),
      fact('Reads', readsText(model, subjects.chosen), input.selection ? `: ${input.selection}` : ''),
      input.repetitionTime !== undefined && fact('TR', `${input.repetitionTime} s`),
      fact('Makes', makes),
      subjectFact(model, subjects),
      stageFact(model, stages),
      fact('Weights', bytesText(Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0))),
      fact('Person', model.pseudonym ?? 'not named'),
      fact('Data terms', model.dataTerms ?? 'not stated'),
      model.consentReference !== undefined && fact('Consent', model.consentReference),
      fact(
        'Training data inside',
        containsTrainingData ? tag('warn', 'yes: share it only where the data may be shared') : 'no',
      ),
    ),
    ledger.length > 0 &&
      h(
        'details',
        {},
        h(
          'summary',
          {},
          'Ledger: ',
          seen.length === 0
            ? `${counted(ledger.length, 'fitted step')}, none passed anything from test to training data`
            : `${seen.length} of ${counted(ledger.length, 'fitted step')} saw, or may have seen, the test data`,
        ),
        h(
          'ol',
          { class: 'ledger' },
          ...ledger.map((fitted) => {
            const { step, runs, sawTest, note } = fitted;
            const own = keepsToOwnRun(fitted);
            return h(
              'li',
              {},
              h('span', { class: 'step' }, step),
              runs.length > 0 && h('span', { class: 'runs' }, `on ${runsText(runs)}`),
              h(
                'span',
                { class: 'saw' },
                'saw test data: ',
                own
                  ? 'its own run only, without labels'
                  : tag(sawTest === 'no' ? 'good' : 'warn', SAW[sawTest]),
              ),
              note !== undefined && h('span', { class: 'runs' }, note),
            );
          }),
        ),
      ),
    ...(decoder?.warnings ?? []).map((warning) => h('p', { class: 'caution' }, warning)),
  );
}

/** Of a model of several subjects: whose responses it reads, to be chosen, unless the responses fit one alone. */
function subjectFact(model: BundleFacts['model'], { chosen, choose }: Choice<number>) {
  const subjects = subjectsOf(model);
  if (subjects.length === 0) return undefined;
  const select = h(
    'select',
    { id: 'subject', 'aria-label': 'Subject', onchange: () => choose(Number(select.value)) },
    chosen === undefined && h('option', { value: '', selected: true, disabled: true }, 'choose …'),
    ...subjects.map((voxels, subject) =>
      h('option', { value: subject, selected: subject === chosen }, subjectText(voxels, subject)),
    ),
  );
  return fact('Subject', select);
}

/** Of a published model: how far it goes, to be chosen. */
function stageFact(model: BundleFacts['model'], { chosen, choose }: Choice<string>) {
  const stages = stagesOf(model);
  if (stages.length === 0) return undefined;
  const select = h(
    'select',
    { id: 'stage', 'aria-label': 'Stage', onchange: () => choose(select.value) },
    ...stages.map((stage) => h('option', { value: stage, selected: stage === chosen }, stage)),
  );
  return fact('Stage', select);
}

/** What one row of betas holds; of several subjects, until one is chosen, what it may. */
function readsText(model: BundleFacts['model'], subject: number | undefined): string {
  const subjects = subject === undefined ? [...new Set(subjectsOf(model))] : [];
  if (subjects.length < 2) return rowText(model.input);
  return `${subjects.map((voxels) => voxels.toLocaleString('en')).join(' or ')} voxels, by subject`;
}

/** What one row of betas holds. */
function rowText(input: BundleFacts['model']['input']): string {
  const { values, voxels, delays } = rowOfInput(input);
  if (delays === 1) return counted(voxels, 'voxel');
  return `${delays} delays of ${counted(voxels, 'voxel')} (${values.toLocaleString('en')} values a row)`;
}

function runsText(runs: readonly string[]): string {
  const shown = runs.slice(0, 4).join(', ');
  return `${runs.length === 1 ? 'run' : 'runs'} ${shown}${runs.length > 4 ? ` and ${runs.length - 4} more` : ''}`;
}

export function responsesFacts({
  name,
  voxels,
  trials,
  simulated,
  notes,
  hasStimuli,
}: ResponsesFacts): HTMLElement {
  return h(
    'div',
    {},
    h('p', { class: 'name' }, name, ' ', simulated && tag('info', 'simulated, not a person')),
    h(
      'dl',
      { class: 'facts' },
      fact('Trials', trials.length.toLocaleString('en')),
      fact('Values a row', voxels.toLocaleString('en')),
      fact('Stimuli', hasStimuli ? 'known: pictures are scored' : 'not known: no scores'),
    ),
    notes.length > 0 && h('ul', { class: 'notes' }, ...notes.map((note) => h('li', {}, note))),
  );
}

export function tag(tone: 'good' | 'warn' | 'info', text: string): HTMLElement {
  return h('span', { class: `tag ${tone}` }, text);
}
