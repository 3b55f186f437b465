import { type BrainDiffuserRow, brainDiffuserTable } from './brainDiffuser.ts';
import { type ModelRow, modelTable } from './mindeye2.ts';
import { type PriorRow, priorTable } from './prior.ts';
import { type RidgeRow, ridgeTable } from './ridge.ts';
import { LEGEND, markdown, type Row } from './row.ts';

/** A line of a file of results. */
export type AnyRow = Row | ModelRow | PriorRow | RidgeRow | BrainDiffuserRow;

/** Rows of one run that a table shows together: of one commit and device, and of one kind. */
interface Group {
  readonly kind: Kind;
  readonly rows: AnyRow[];
}

type Kind = 'ops' | 'ridge' | 'brain-diffuser' | 'model' | 'prior';

const TITLES: Readonly<Record<Kind, string>> = {
  ops: 'Ops',
  ridge: 'Ridge regression in memory',
  'brain-diffuser': 'Brain-Diffuser from disk to disk',
  model: 'MindEye2',
  prior: "MindEye2's prior",
};

/** Recorded rows for people: a section for each run, in the order in which they were recorded. */
export function resultsTable(rows: readonly AnyRow[]): string {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const kind = kindOf(row);
    const { commit, device } = row as { commit?: string; device?: string };
    // What was measured in turns has one date; ours stands beside those peers alone.
    const turn = kind === 'ridge' ? (row as RidgeRow).date : '';
    const key = [kind, turn, commit, device].join('\n');
    const group = groups.get(key) ?? { kind, rows: [] };
    group.rows.push(row);
    groups.set(key, group);
  }
  return [...groups.values()].map(section).join('\n\n');
}

/** Of each implementation of each case or shape, the row that was recorded last; the order stays. */
export function latest(rows: readonly AnyRow[]): AnyRow[] {
  const last = new Map(rows.map((row) => [subject(row), row]));
  return rows.filter((row) => last.get(subject(row)) === row);
}

/** What a row is about: all that was chosen before it was measured. */
function subject(row: AnyRow): string {
  const known: Readonly<Record<string, unknown>> = { ...row };
  return JSON.stringify(CHOSEN.map((name) => known[name]));
}

const CHOSEN = [
  'op',
  'model',
  'case',
  'keep',
  'shape',
  'dtype',
  'weights',
  'stage',
  'precision',
  'impl',
  'backend',
  'threads',
  'device',
] as const;

function section({ kind, rows }: Group): string {
  const { commit, device, date } = rows[0] as { commit?: string; device?: string; date?: string };
  const when = [device, date?.slice(0, 10), commit && `commit ${commit}`].filter(Boolean).join(', ');
  return [`## ${TITLES[kind]}`, when, tableOf(kind, rows)].filter((part) => part !== '').join('\n\n');
}

function tableOf(kind: Kind, rows: readonly AnyRow[]): string {
  switch (kind) {
    case 'ops':
      return `${markdown(rows as Row[])}\n\n${LEGEND}`;
    case 'ridge':
      return ridgeTable(rows as RidgeRow[]);
    case 'brain-diffuser':
      return brainDiffuserTable(rows as BrainDiffuserRow[]);
    case 'model':
      return modelTable(rows as ModelRow[]);
    case 'prior':
      return priorTable(rows as PriorRow[]);
  }
}

function kindOf(row: AnyRow): Kind {
  if ('op' in row) {
    if (row.op === 'ridge' || row.op === 'brain-diffuser') return row.op as Kind;
    return 'ops';
  }
  return 'stages' in row ? 'prior' : 'model';
}
