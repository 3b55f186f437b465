import type { FittedStep } from '../../bundle/contents.ts';
import { F2iError } from '../../error.ts';
import { placesBy } from '../../grouped.ts';
import { didYouMean } from '../study/nearest.ts';
import type { Arrangement, RecordingFacts } from './recording.ts';

/** How voxels are brought to a common scale: first within sessions or runs, then over rows. Each part may be absent. */
export interface Normalisation {
  /** What it does and who does so, in words. */
  readonly of: string;
  /** Mean 0 and deviation 1 (divisor n) of each voxel within each session or run, by the statistics of some trials. */
  readonly within?:
    | { readonly unit: 'session' | 'run'; readonly fitted: 'training' | 'not-shared' | 'all' }
    | undefined;
  /** Mean 0 and deviation 1 of each voxel by the statistics of the training rows, divisor n - ddof. */
  readonly rows?: { readonly ddof: 0 | 1 } | undefined;
}

/** Ours, and the published ones by their names. */
export const NORMALISATIONS = {
  none: { of: 'responses as they are' },
  train: { of: 'by the training rows', rows: { ddof: 0 } },
  'session-train': {
    of: 'within each session, by its training trials',
    within: { unit: 'session', fitted: 'training' },
  },
  mindeye2: {
    of: 'within each session, by all trials but those of the shared pictures (MindEye2, as in the paper)',
    within: { unit: 'session', fitted: 'not-shared' },
  },
  'mindeye2-released': {
    of: 'within each session, by all its trials (MindEye2, as in the released script)',
    within: { unit: 'session', fitted: 'all' },
  },
  'brain-diffuser': { of: 'by the training rows, divisor n - 1 (Brain-Diffuser)', rows: { ddof: 1 } },
  takagi: { of: 'by the training rows (Takagi and Nishimoto, StandardScaler)', rows: { ddof: 0 } },
  run: { of: 'within each run, by all its trials', within: { unit: 'run', fitted: 'all' } },
} as const satisfies Readonly<Record<string, Normalisation>>;

export type NormalisationName = keyof typeof NORMALISATIONS;

/** Trials that are normalised together, by the statistics of some of them. */
export interface NormalisedGroup {
  readonly name: string;
  /** Those that rows of the arrangement are made of. */
  readonly members: Int32Array;
  readonly fitted: Int32Array;
}

export interface NormalisationPlan {
  readonly name: NormalisationName;
  readonly groups: readonly NormalisedGroup[];
  /** Divisor of the deviation over training rows is their number minus this; undefined for none. */
  readonly ddof: 0 | 1 | undefined;
  readonly ledger: readonly FittedStep[];
}

/**
 * What a normalisation means for the trials of an arrangement. The ledger says `yes` wherever a test trial takes part in
 * what is fitted.
 *
 * @throws INVALID_ARGUMENT for an unknown name; for sessions without the trials that it is fitted on; where it needs to
 *   know which pictures are shared; and for betas that are averaged before their sessions would be normalised
 */
export function planNormalisation(
  { trials, name: recording }: RecordingFacts,
  arrangement: Arrangement,
  name: NormalisationName,
): NormalisationPlan {
  if (!Object.hasOwn(NORMALISATIONS, name)) {
    const known = Object.keys(NORMALISATIONS);
    throw invalid(`unknown normalisation${didYouMean(String(name), known)}`, known.join(', '), String(name));
  }
  const { of, within, rows }: Normalisation = NORMALISATIONS[name];
  const trialsOf = (side: 'train' | 'test') => arrangement[side].flatMap((row) => Array.from(row.trials));
  const [training, test] = [new Set(trialsOf('train')), new Set(trialsOf('test'))];
  const sessionsOf = (some: Iterable<number>) => [
    ...new Set(Array.from(some, (trial) => trials[trial]!.session)),
  ];
  const ledger: FittedStep[] = [];
  let groups: NormalisedGroup[] = [];
  if (within) {
    refuseAveragedBetas(arrangement, name, within.unit);
    const used = (trial: number) => training.has(trial) || test.has(trial);
    const takesPart = {
      training: (trial: number) => training.has(trial),
      'not-shared': (trial: number) => !trials[trial]!.shared,
      all: () => true,
    }[within.fitted];
    if (within.fitted === 'not-shared' && trials.some(({ shared }) => shared === undefined)) {
      throw invalid(`${name} needs to know which pictures are shared`, 'trials that say so', recording);
    }
    groups = groupsOf(trials, within.unit, used, takesPart);
    const empty = groups.filter(({ fitted }) => fitted.length === 0).map((group) => group.name);
    if (empty.length > 0) {
      const which = `${within.unit} ${empty.slice(0, 5).join(', ')}${empty.length > 5 ? ', ...' : ''}`;
      throw invalid(
        `${which} has no trial that ${name} is fitted on; normalise by train, or by a transductive name (run, mindeye2-released)`,
        `such trials in each ${within.unit}`,
        `${empty.length} of ${groups.length} without`,
      );
    }
    const sawTest = groups.some(({ fitted }) => fitted.some((trial) => test.has(trial)));
    ledger.push({
      step: `mean and standard deviation of each voxel within each ${within.unit}`,
      runs: sessionsOf(groups.flatMap(({ fitted }) => Array.from(fitted))),
      sawTest: sawTest ? 'yes' : 'no',
      note: sawTest
        ? `${name}: ${of}; transductive: test trials take part, without what they showed`
        : `${name}: ${of}`,
    });
  }
  if (rows) {
    ledger.push({
      step: 'mean and standard deviation of each voxel over training rows',
      runs: sessionsOf(training),
      sawTest: 'no',
      note: `${name}: ${of}`,
    });
  }
  return { name, groups, ddof: rows?.ddof, ledger };
}

function groupsOf(
  trials: RecordingFacts['trials'],
  unit: 'session' | 'run',
  used: (trial: number) => boolean,
  takesPart: (trial: number) => boolean,
): NormalisedGroup[] {
  const groups = placesBy(trials.length, (trial) => {
    const { session, run } = trials[trial]!;
    return unit === 'session' ? session : `${session}, run ${run}`;
  });
  return [...groups]
    .map(([name, all]) => ({
      name,
      members: Int32Array.from(all.filter(used)),
      fitted: Int32Array.from(all.filter(takesPart)),
    }))
    .filter(({ members }) => members.length > 0);
}

/** Repeats of a picture come from several sessions: once averaged they belong to none. */
function refuseAveragedBetas({ average }: Arrangement, name: string, unit: string): void {
  const side = (['train', 'test'] as const).find((one) => average[one] === 'betas');
  if (!side) return;
  throw invalid(
    `betas of the ${side} side are averaged before ${name} could normalise each ${unit}`,
    'average: normalised, none or predictions; or a normalisation by rows (train, brain-diffuser, takagi)',
    'average: betas',
  );
}

function invalid(message: string, expected: string, found: string): F2iError {
  return new F2iError('INVALID_ARGUMENT', message, { field: 'normalisation', expected, found });
}
