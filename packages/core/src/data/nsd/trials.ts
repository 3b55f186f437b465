import { F2iError } from '../../error.ts';
import { lineOf, parseNumber, readTable } from '../formats/table.ts';
import type { RecordedTrial } from '../recording/recording.ts';
import type { Source } from '../source.ts';
import { isSharedPlace, type NsdExperiment } from './experiment.ts';
import { NSD_PICTURES, SUBJECT_PICTURES, TRIALS_A_SESSION } from './published.ts';

/** A trial of NSD; `repeat` counts those before it, whether or not their betas are at hand. */
export interface NsdTrial extends RecordedTrial {
  readonly sessionNumber: number;
  /** Place in its session, from 0: the volume of the session's betas. */
  readonly place: number;
}

const COLUMNS = ['SUBJECT', 'SESSION', 'RUN', 'TRIAL', '73KID', '10KID'] as const;
type Column = (typeof COLUMNS)[number];
const MOST: Readonly<Record<Column, number>> = {
  SUBJECT: 8,
  SESSION: 40,
  RUN: 12,
  TRIAL: 1000,
  '73KID': NSD_PICTURES,
  '10KID': SUBJECT_PICTURES,
};

/**
 * Trials by `responses.tsv`, a line each in order of time. Held against the experimental design where that is there.
 *
 * @throws FORMAT, naming file, line and column
 */
export async function readResponses(
  source: Source,
  subject: number,
  experiment: NsdExperiment | undefined,
  signal?: AbortSignal,
): Promise<NsdTrial[]> {
  const table = await readTable(source, { header: true, signal });
  const file = source.name;
  const at = Object.fromEntries(
    COLUMNS.map((name) => {
      const column = table.columns.indexOf(name);
      if (column >= 0) return [name, column];
      throw new F2iError('FORMAT', 'a column is missing', {
        file,
        field: name,
        expected: COLUMNS.join(', '),
        found: table.columns.join(', '),
      });
    }),
  ) as Record<Column, number>;
  const trials: NsdTrial[] = [];
  const repeats = new Map<number, number>();
  const offset = new Map<number, number>();
  for (const [row, cells] of table.rows.entries()) {
    const wrong = (name: Column, message: string, expected: string, found: string) =>
      new F2iError('FORMAT', message, {
        file,
        field: `line ${lineOf(table, row)}, column ${name}`,
        expected,
        found,
      });
    const whole = (name: Column): number => {
      const cell = cells[at[name]]!;
      const value = parseNumber(cell) ?? Number.NaN;
      if (Number.isInteger(value) && value >= 1 && value <= MOST[name]) return value;
      throw wrong(name, 'a number that cannot be', `a whole number from 1 to ${MOST[name]}`, cell);
    };
    const own = whole('SUBJECT');
    if (own !== subject) throw wrong('SUBJECT', 'trials of another subject', `${subject}`, `${own}`);
    const sessionNumber = whole('SESSION');
    const before = trials.at(-1)?.sessionNumber ?? 0;
    if (sessionNumber < before) {
      throw wrong('SESSION', 'sessions out of order', `${before} or later`, `${sessionNumber}`);
    }
    const stimulus = whole('73KID') - 1;
    const place = whole('10KID') - 1;
    const inSession = offset.get(sessionNumber) ?? 0;
    offset.set(sessionNumber, inSession + 1);
    if (experiment && experiment.pictures[place] !== stimulus) {
      const found = `${stimulus + 1} for picture ${place + 1} of the subject`;
      throw wrong(
        '73KID',
        'not the picture of the experimental design',
        `${(experiment.pictures[place] ?? -1) + 1}`,
        found,
      );
    }
    const repeat = repeats.get(stimulus) ?? 0;
    repeats.set(stimulus, repeat + 1);
    const shared = experiment ? experiment.shared.has(stimulus) : isSharedPlace(place);
    const run = `${whole('RUN')}`;
    trials.push({
      session: `${sessionNumber}`,
      sessionNumber,
      place: inSession,
      run,
      stimulus,
      repeat,
      shared,
    });
  }
  if (trials.length === 0) throw new F2iError('FORMAT', 'no trials', { file });
  return trials;
}

/** Odd runs of NSD have 63 trials, even ones 62. */
const runOf = (place: number) => 2 * Math.floor(place / 125) + (place % 125 < 63 ? 1 : 2);

/** Trials by the experimental design alone, 750 a session. */
export function designedTrials({ order, pictures, shared }: NsdExperiment): NsdTrial[] {
  const repeats = new Map<number, number>();
  return Array.from(order, (picture, trial) => {
    const stimulus = pictures[picture]!;
    const sessionNumber = Math.floor(trial / TRIALS_A_SESSION) + 1;
    const place = trial % TRIALS_A_SESSION;
    const repeat = repeats.get(stimulus) ?? 0;
    repeats.set(stimulus, repeat + 1);
    return {
      session: `${sessionNumber}`,
      sessionNumber,
      place,
      run: `${runOf(place)}`,
      stimulus,
      repeat,
      shared: shared.has(stimulus),
    };
  });
}
