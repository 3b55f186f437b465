import type { MetricResult } from '@fmri2image/core';
import { baselineOf } from '../../pipeline/baselines.ts';
import type { ReportData } from '../data.ts';
import { counted, median, minus, score, short } from '../format.ts';
import { draw, type Figure } from '../plot.ts';
import { COLOUR } from '../theme.ts';
import { wordsOf } from '../words.ts';
import { histogram, histogramLayer } from './histogram.ts';

/** How the scores of single trials (test rows) spread. */
export async function drawDistributions({
  evaluation,
  results,
}: Pick<ReportData, 'evaluation' | 'results'>): Promise<Figure[]> {
  const { twoWay, frameCorrelation } = evaluation;
  const { unit } = wordsOf(results);
  return [
    await spread('distribution-identification', 'Two-way identification', unit, twoWay, [0, 1]),
    await spread('distribution-correlation', 'Frame correlation', unit, frameCorrelation, [-1, 1]),
  ];
}

const BINS = 25;

function spread(
  name: string,
  what: string,
  unit: string,
  metric: MetricResult,
  range: readonly [number, number],
): Promise<Figure> {
  const title = `${what} of a ${unit}`;
  const scores = metric.perTrial;
  const baseline = baselineOf(metric);
  // Where nothing is negative, half of the axis would be empty.
  const low = Math.max(range[0], Math.floor(Math.min(...scores, baseline.at) * 10) / 10);
  const values = histogram(scores, [low, range[1]], BINS);
  const middle = median(scores);
  const top = Math.max(...values.map(({ count }) => count));
  const lines = [
    { at: middle, text: `median ${minus(middle.toFixed(3))}`, role: 'median' },
    { ...baseline, role: 'baseline' },
  ];
  const x = {
    type: 'quantitative',
    scale: { domain: [low, range[1]], nice: false },
    axis: { title, tickCount: 6, grid: false },
  } as const;
  const colour = {
    field: 'role',
    type: 'nominal',
    legend: null,
    scale: { domain: ['median', 'baseline'], range: [COLOUR.ink, COLOUR.mark] },
  };
  const centre = (low + range[1]) / 2;
  const description = `${title}: ${counted(scores.length, unit)}, from ${score(Math.min(...scores))} to ${score(Math.max(...scores))}, median ${score(middle)}; ${baseline.text} ${short(baseline.at)}.`;
  return draw(name, description, {
    width: 400,
    height: 150,
    layer: [
      histogramLayer(values, x, `${unit}s`, {
        color: COLOUR.ours,
        opacity: 0.85,
        scale: { domain: [0, top * 1.28], nice: false },
      }),
      {
        data: { values: lines },
        mark: { type: 'rule', strokeWidth: 1.5, strokeDash: [4, 3] },
        encoding: { x: { ...x, field: 'at' }, color: colour },
      },
      ...lines.map((line) => ({
        data: { values: [line] },
        mark: {
          type: 'text',
          // One below the other: they may be near.
          y: line.role === 'median' ? 2 : 16,
          baseline: 'top',
          align: line.at > centre ? 'right' : 'left',
          dx: line.at > centre ? -5 : 5,
          color: line.role === 'median' ? COLOUR.ink : COLOUR.mark,
        },
        encoding: { x: { ...x, field: 'at' }, text: { field: 'text' } },
      })),
    ],
  });
}
