import type { ScoredResults } from '../pipeline/evaluate.ts';
import type { FoldRecord } from '../pipeline/folds.ts';
import type { Results } from '../pipeline/results.ts';
import { nearCopies } from './controls.ts';
import { runsOf } from './data.ts';
import { percent, score, short } from './format.ts';

/** Seconds after an event at which responses of the cortex peak; docs/retinotopic.md. */
const USUAL_PEAK = [3.5, 7] as const;
/** Frames of a run below which p by circular shifts is approximate; docs/scores.md. */
const SHORT_RUN = 50;

/** What qualifies the scores of this very analysis: what their reader must know first. */
export function limitNotes(results: Results, evaluation: ScoredResults): string[] {
  return [
    ...copies(evaluation),
    ...lookUp(evaluation),
    ...unusualPeak(results.folds ?? []),
    ...approximateP(results, evaluation),
  ];
}

function copies(evaluation: ScoredResults): string[] {
  const best = nearCopies(evaluation);
  if (best === undefined) return [];
  return [
    `the training pictures hold near copies of the scored ones (the best choice among them correlates ${score(best)} with what was shown): these scores say little about new pictures`,
  ];
}

/** Where a known picture in place of the reconstruction scores better. */
function lookUp({ twoWay, frameCorrelation }: ScoredResults): string[] {
  const { nearestTraining: correlation } = frameCorrelation;
  const { nearestTraining: identification } = twoWay;
  const better = [
    ...(correlation !== undefined && correlation > frameCorrelation.score
      ? [
          `correlates better with what was shown (${score(correlation)}) than the reconstruction itself (${score(frameCorrelation.score)})`,
        ]
      : []),
    ...(identification !== undefined && identification > twoWay.score
      ? [
          `identifies more pairs (${percent(identification)}) than the reconstruction itself (${percent(twoWay.score)})`,
        ]
      : []),
  ];
  if (better.length === 0) return [];
  return [`looking up the training picture nearest to each reconstruction ${better.join(', and ')}`];
}

function unusualPeak(folds: readonly FoldRecord[]): string[] {
  const peaks = folds.flatMap(({ maps }) => {
    if (!maps) return [];
    const { times, values } = maps.hrf;
    return times[values.indexOf(values.reduce((most, value) => Math.max(most, value)))] ?? [];
  });
  const [low, high] = [Math.min(...peaks), Math.max(...peaks)];
  const [early, late] = USUAL_PEAK;
  if (peaks.length === 0 || (low >= early && high <= late)) return [];
  const where = short(low) === short(high) ? short(low) : `${short(low)} to ${short(high)}`;
  const how = low < early ? (high > late ? 'unusually early or late' : 'unusually early') : 'unusually late';
  return [
    `the response peaks at ${where} s, ${how} (${early} to ${late} s are usual): check that frame and volume times agree`,
  ];
}

function approximateP(results: Results, evaluation: ScoredResults): string[] {
  const { permutation } = evaluation;
  if (permutation.reason !== undefined || permutation.exchangeability !== 'continuous') return [];
  const lengths = runsOf({ results, evaluation })
    .filter(({ places }) => places.length > 0)
    .map(({ items }) => items.length);
  const shortest = Math.min(...lengths);
  if (shortest >= SHORT_RUN) return [];
  return [`p is approximate: circular shifts of runs of fewer than ${SHORT_RUN} frames (here ${shortest})`];
}
