import type { Json } from '../data/json.ts';
import { F2iError } from '../error.ts';
import type { BundleContents, BundleTensor, FittedStep } from './contents.ts';

/** Labels that name nobody and no day. */
const PLAIN_LABEL = /^(?:run|sweep|block|fold|scan)?[-_ ]?\d{1,3}$/i;

/** What free text must not hold; each pattern takes linear time. Names of people cannot be recognised: what a text says is its writer's to check. */
const IDENTIFYING: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/(?<![\w/.:])(?:\/[\w.@~+-]+){2,}/, 'an absolute path'],
  [/file:\/\//i, 'an absolute path'],
  [/\b[A-Za-z]:[\\/]|\\\\[\w.-]+\\/, 'an absolute path'],
  [/(?<![\w/])~[\w.-]*\//, 'a home folder'],
  [/(?<![\w.+-])[\w.+-]+@[\w-]+\.\w/, 'an e-mail address'],
  [/\bsub-[A-Za-z0-9]+/, 'a subject id'],
  [/\b(?:subj(?:ect)?|participant|patient)[\s_-]*[A-Za-z]{0,3}\d+/i, 'a subject id'],
  [/\b(?:19|20)\d\d([-/.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])\b/, 'a date'],
];

/** Of statements that a person made for others to read: an address may stand in them. */
const IN_STATEMENTS = ['an absolute path', 'a home folder'];

/** A bundle's contents, or what describes them where the numbers are not in memory. */
export type Described = Omit<BundleContents, 'tensors'> & {
  readonly tensors: readonly Pick<BundleTensor, 'name' | 'meaning' | 'shape'>[];
};

export interface Sanitised<T extends Described> {
  readonly contents: T;
  /** What was taken out, in words. */
  readonly removed: readonly string[];
}

/**
 * A bundle's contents without what a lab wrote for itself: how the voxels were selected (names of files), which trials
 * of which study were seen (the study's name), and runs' own labels, which become run-1, run-2, ... throughout, unless
 * all are plain: a number, or `run`, `sweep`, `block`, `fold`, `scan` with one.
 */
export function withoutLabels<T extends Described>(contents: T): Sanitised<T> {
  const removed: string[] = [];
  const { selection, ...input } = contents.input;
  if (selection !== undefined) removed.push('input.selection');
  const { training, ...rest } = contents.report;
  if (training !== undefined) removed.push('report.training');
  const report = withoutStudies(rest, removed);
  const labels = runLabels(contents.ledger);
  const plain = labels.every((label) => PLAIN_LABEL.test(label));
  const renamed = new Map(labels.map((label, i) => [label, plain ? label : `run-${i + 1}`]));
  if (!plain) removed.push('labels of runs in the ledger');
  const ledger = contents.ledger.map((step) => ({
    ...step,
    runs: step.runs.map((run) => renamed.get(run)!),
  }));
  return { contents: { ...contents, input, report, ledger }, removed };
}

/** Of an aligned model: the lineage without the names of the teachers' studies. */
function withoutStudies(report: Described['report'], removed: string[]): Described['report'] {
  const alignment = report.alignment as { readonly teachers?: Json } | undefined;
  if (!Array.isArray(alignment?.teachers)) return report;
  removed.push('names of studies in report.alignment.teachers');
  const teachers = alignment.teachers.map((teacher) => {
    const { study: _, ...rest } = teacher as { readonly [key: string]: Json };
    return rest;
  });
  return { ...report, alignment: { ...(alignment as { readonly [key: string]: Json }), teachers } };
}

const runLabels = (ledger: readonly FittedStep[]) => [...new Set(ledger.flatMap(({ runs }) => runs))];

export interface Statements {
  readonly dataTerms?: string | undefined;
  readonly consentReference?: string | undefined;
  readonly pseudonym?: string | undefined;
}

/**
 * Looks through every text that a bundle would carry, keys of settings included.
 *
 * @param labels of runs before they were renamed: none may be left in a note
 * @throws INVALID_ARGUMENT, naming the field, for a text that may identify a person or a machine
 */
export function refuseIdentifying(
  contents: Described,
  statements: Statements,
  file: string,
  labels: readonly string[] = [],
): void {
  const { input, output, config, report, ledger, tensors } = contents;
  const meanings = Object.fromEntries(tensors.map(({ name, meaning }) => [name, { meaning }]));
  const telling = [...new Set(labels)].filter((label) => label.length > 2 && !PLAIN_LABEL.test(label));
  const { pseudonym } = statements;
  const check = (text: string, field: string) => {
    // The name that a person was given for sharing may be said.
    const rest = pseudonym ? text.replaceAll(pseudonym, '') : text;
    const found = IDENTIFYING.find(([pattern]) => pattern.test(rest));
    if (found) throw identifying(file, field, found[1], text);
    const label = telling.find((name) => standsIn(name, rest));
    if (label !== undefined) throw identifying(file, field, `the label of a run, ${label}`, text);
  };
  visit({ input, output, config, report, ledger, tensors: meanings } as unknown as Json, '', check);
  visit({ ...statements } as Json, '', (text, field) => {
    const found = IDENTIFYING.find(([pattern, what]) => IN_STATEMENTS.includes(what) && pattern.test(text));
    if (found) throw identifying(file, field, found[1], text);
  });
}

/** As words of their own: the run `left` is not meant by `left-out`. */
function standsIn(words: string, text: string): boolean {
  for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + 1)) {
    const beside = `${text[at - 1] ?? ' '}${text[at + words.length] ?? ' '}`;
    if (!/[\w-]/.test(beside)) return true;
  }
  return false;
}

function identifying(file: string, field: string, what: string, text: string): F2iError {
  const shown = JSON.stringify(text);
  return new F2iError('INVALID_ARGUMENT', `a bundle to share must not hold ${what}`, {
    file,
    field,
    expected: 'text that names no person, machine or day',
    found: shown.length > 80 ? `${shown.slice(0, 77)}...` : shown,
  });
}

/** Every text of a JSON value, and every key, with its path. */
function visit(value: Json | undefined, field: string, check: (text: string, field: string) => void): void {
  if (typeof value === 'string') check(value, field);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const at = field ? `${field}.${key}` : key;
    if (!Array.isArray(value)) check(key, at);
    visit(inner, at, check);
  }
}
