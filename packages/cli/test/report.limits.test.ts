import type { MetricResult } from '@fmri2image/core';
import { describe, expect, it } from 'vitest';
import type { ScoredResults } from '../src/pipeline/evaluate.ts';
import type { FoldRecord } from '../src/pipeline/folds.ts';
import type { Results } from '../src/pipeline/results.ts';
import { advantageOver, nearCopies } from '../src/report/controls.ts';
import { limitNotes } from '../src/report/limits.ts';

const FRAMES = 40;

function metric(perTrial: number[], nearestTraining: number[], bestTraining: number[]): MetricResult {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    score: mean(perTrial),
    nearestTraining: mean(nearestTraining),
    bestTraining: mean(bestTraining),
    perTrial,
    controls: { nearestTraining, bestTraining, shuffled: [] },
  } as unknown as MetricResult;
}

const flat = (value: number) => new Array<number>(FRAMES).fill(value);
const wave = flat(0).map((_, i) => 0.2 * Math.sin(i));

function evaluationOf(
  twoWay: MetricResult,
  frameCorrelation: MetricResult,
  exchangeability: 'continuous' | 'trials' = 'continuous',
): ScoredResults {
  return {
    scored: flat(0).map((_, i) => i),
    twoWay,
    frameCorrelation,
    bootstrap: { level: 0.95, resamples: 500, block: 4 },
    permutation: { exchangeability, seed: 1 },
  } as unknown as ScoredResults;
}

function resultsOf(peaks: readonly number[]): Results {
  const items = flat(0).map(() => ({ run: 'a' }));
  const folds = peaks.map(
    (peak) => ({ maps: { hrf: { times: [0, peak, 20], values: [0, 1, 0] } } }) as unknown as FoldRecord,
  );
  return { items, folds } as unknown as Results;
}

const plain = metric(flat(0.9), flat(0.8), flat(0.85));

describe('the advantage over a look-up', () => {
  const evaluation = evaluationOf(plain, plain);
  it('is judged from paired differences, which hold though the scores spread far more', () => {
    const spread = wave.map((value) => 0.5 + value);
    const ahead = metric(
      spread,
      spread.map((value) => value - 0.02),
      spread.map((value) => value + 0.02),
    );
    expect(advantageOver('nearestTraining', ahead, evaluation)).toMatchObject({ control: 'lower' });
    expect(advantageOver('bestTraining', ahead, evaluation)).toMatchObject({ control: 'higher' });
    expect(advantageOver('bestTraining', ahead, evaluation)!.difference).toBeCloseTo(-0.02, 12);
  });

  it('is none where the interval of the difference holds zero, or the control is unknown', () => {
    const level = metric(
      flat(0.5),
      wave.map((value) => 0.5 + value),
      flat(0.5),
    );
    expect(advantageOver('nearestTraining', level, evaluation)).toMatchObject({ control: 'about as high' });
    const without = { ...plain, controls: { shuffled: [] } };
    expect(advantageOver('nearestTraining', without, evaluation)).toBeUndefined();
  });
});

describe('what a reader must know first', () => {
  it('is nothing where nothing qualifies the scores', () => {
    expect(limitNotes(resultsOf([5]), evaluationOf(plain, plain, 'trials'))).toEqual([]);
  });

  it('names near copies, a look-up that scores better, an odd response and an approximate p', () => {
    const correlation = metric(flat(0.6), flat(0.7), flat(0.99));
    const evaluation = evaluationOf(plain, correlation);
    expect(nearCopies(evaluation)).toBeCloseTo(0.99, 12);
    const notes = limitNotes(resultsOf([2.4, 5]), evaluation);
    expect(notes).toEqual([
      expect.stringMatching(/near copies .*correlates 0\.990/),
      expect.stringMatching(/nearest .* correlates better .*\(0\.700\) than .*\(0\.600\)$/),
      expect.stringMatching(/peaks at 2\.4 to 5 s, unusually early.*frame and volume times/),
      expect.stringMatching(/p is approximate.*here 40/),
    ]);
    expect(limitNotes(resultsOf([9]), evaluationOf(plain, plain, 'trials'))).toEqual([
      expect.stringContaining('unusually late'),
    ]);
  });
});
