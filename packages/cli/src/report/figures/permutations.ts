import type { MetricResult } from '@fmri2image/core';
import type { ReportData } from '../data.ts';
import { minus, pValue, score } from '../format.ts';
import { draw, type Figure } from '../plot.ts';
import { COLOUR } from '../theme.ts';
import { wordsOf } from '../words.ts';
import { histogram, histogramLayer } from './histogram.ts';

/** Scores of the rearrangements, and the true one. */
export async function drawPermutations({
  evaluation,
  results,
}: Pick<ReportData, 'evaluation' | 'results'>): Promise<Figure[]> {
  const { twoWay, frameCorrelation, retrieval, permutation } = evaluation;
  if (permutation.reason !== undefined) return [];
  const over = `mean over ${wordsOf(results).unit}s`;
  return [
    await nullOf('permutation-identification', `Two-way identification, ${over}`, twoWay),
    await nullOf('permutation-correlation', `Frame correlation, ${over}`, frameCorrelation),
    ...(retrieval
      ? [
          await nullOf(
            'permutation-image-to-brain',
            `Retrieval, image to brain, ${over}`,
            retrieval.imageToBrain,
          ),
          await nullOf(
            'permutation-brain-to-image',
            `Retrieval, brain to image, ${over}`,
            retrieval.brainToImage,
          ),
        ]
      : []),
  ];
}

const BINS = 40;

/** @param metric with the scores of all rearrangements */
export function nullOf(
  name: string,
  title: string,
  metric: Pick<MetricResult, 'score' | 'null' | 'shuffled' | 'p'>,
): Promise<Figure> {
  const scores = metric.null ?? [];
  const all = [...scores, metric.score];
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const margin = 0.06 * (most - least || 1);
  const range = [least - margin, most + margin] as const;
  const values = histogram(scores, range, BINS);
  const text = `observed ${minus(metric.score.toFixed(3))}`;
  const x = {
    type: 'quantitative',
    scale: { domain: range, nice: false },
    axis: { title, tickCount: 6, grid: false },
  };
  const right = metric.score > (range[0] + range[1]) / 2;
  const side = { align: right ? 'right' : 'left', dx: right ? -5 : 5 };
  const description = `${title} of ${scores.length} rearrangements: mean ${score(metric.shuffled.mean)}, 95 % below ${score(metric.shuffled.p95)}; observed ${score(metric.score)}, p ${pValue(metric.p)}.`;
  return draw(name, description, {
    width: 400,
    height: 150,
    layer: [
      histogramLayer(values, x, 'rearrangements', { color: COLOUR.control, opacity: 0.75 }),
      {
        data: { values: [{ at: metric.score, text }] },
        mark: { type: 'rule', strokeWidth: 2.5, color: COLOUR.ours },
        encoding: { x: { ...x, field: 'at' } },
      },
      ...[text, `p = ${pValue(metric.p)}`].map((line, i) => ({
        data: { values: [{ at: metric.score, text: line }] },
        mark: { type: 'text', y: 4 + 15 * i, baseline: 'top', color: COLOUR.ink, ...side },
        encoding: { x: { ...x, field: 'at' }, text: { field: 'text' } },
      })),
    ],
  });
}
