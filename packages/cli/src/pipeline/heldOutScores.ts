import {
  type Backend,
  correlationMatrix,
  labelAccuracy,
  meanScore,
  pixelCorrelation,
  type Rows,
  type Study,
  takeRows,
  twoWayIdentification,
} from '@fmri2image/core';
import type { HeldOutPlan } from './heldOutPlan.ts';
import { decodesLabels } from './targets.ts';

/** A score of held-out predictions. */
export interface ScoreName {
  readonly name: 'accuracy' | 'twoWay' | 'frameCorrelation';
  readonly words: string;
  readonly chance: number;
}

export interface HeldOutScorer {
  readonly scores: readonly ScoreName[];
  /** @param predictions one row for each trial of the study; those that are not held out do not count */
  measure(predictions: Rows): Promise<number[]>;
}

/** The scores that `evaluate` gives: accuracy of labels; identification and correlation of pictures and features. */
export function heldOutScorer(
  study: Study,
  { targets, held }: HeldOutPlan,
  { backend, signal }: { backend: Backend; signal: AbortSignal },
): HeldOutScorer {
  const counted = new Set(study.scored);
  const scored = Int32Array.from(held.filter((trial) => counted.has(trial)));
  if (decodesLabels(study)) {
    const measure = labelAccuracy(targets, scored);
    return {
      scores: [{ name: 'accuracy', words: 'accuracy', chance: mostFrequent(targets, scored) }],
      measure: async (predictions) => Array.from(await measure(predictions)),
    };
  }
  const truth = takeRows(targets, scored);
  const stimuli = Array.from(scored, (trial) => study.trials[trial]!.stimulus!);
  const pictures = study.stimuli!.kind === 'pictures';
  const own = Int32Array.from(scored.keys());
  return {
    scores: [
      { name: 'twoWay', words: 'two-way identification', chance: 0.5 },
      { name: 'frameCorrelation', words: 'frame correlation', chance: 0 },
    ],
    async measure(predictions) {
      const rows = takeRows(predictions, scored);
      // As decoders do: pictures have no pixels blacker than black.
      if (pictures)
        for (const [i, value] of rows.data.entries()) rows.data[i] = Math.min(1, Math.max(0, value));
      const correlations = await correlationMatrix(truth, rows, { backend, signal });
      const tables = [
        twoWayIdentification(correlations, own, 'reconstruction', stimuli),
        pixelCorrelation(correlations, own),
      ];
      return tables.map((table) => meanScore(table, own));
    },
  };
}

/** Share of the most frequent label: what always giving it would reach. */
function mostFrequent({ data, shape }: Rows, rows: Int32Array): number {
  const width = data.length / shape[0]!;
  const counts = new Float64Array(width);
  for (const row of rows) for (let t = 0; t < width; t++) counts[t]! += data[row * width + t]!;
  return counts.reduce((a, b) => Math.max(a, b)) / rows.length;
}
