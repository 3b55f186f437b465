import type { MetricResult } from '@fmri2image/core';
import type { ReportData } from '../data.ts';
import { minus, score, short } from '../format.ts';
import { draw, type Figure } from '../plot.ts';
import { COLOUR } from '../theme.ts';
import { decoderOf, wordsOf } from '../words.ts';

/** One metric beside its controls: a row each. */
export async function drawScores(
  data: Pick<ReportData, 'evaluation' | 'made' | 'results'>,
): Promise<Figure[]> {
  const { twoWay, frameCorrelation, retrieval, permutation } = data.evaluation;
  // Without rearrangements nothing was shuffled.
  const shuffled = permutation.reason === undefined;
  const { mean } = wordsOf(data.results);
  const decoder = decoderOf(data);
  return [
    await beside('scores-identification', 'Two-way identification', twoWay, decoder, mean, shuffled),
    await beside('scores-correlation', 'Frame correlation', frameCorrelation, decoder, mean, shuffled),
    ...(retrieval
      ? [
          await beside(
            'scores-image-to-brain',
            'Retrieval, image to brain',
            retrieval.imageToBrain,
            decoder,
            mean,
            shuffled,
          ),
          await beside(
            'scores-brain-to-image',
            'Retrieval, brain to image',
            retrieval.brainToImage,
            decoder,
            mean,
            shuffled,
          ),
        ]
      : []),
  ];
}

interface Row {
  readonly name: string;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
  readonly role: 'ours' | 'control' | 'limit';
}

function rowsOf(metric: MetricResult, decoder: string, mean: string, isShuffled: boolean): Row[] {
  const { nearestTraining, meanPicture, shuffled, bestTraining } = metric;
  const control = (name: string, value: number | undefined): Row[] =>
    value === undefined ? [] : [{ name, value, role: 'control' }];
  return [
    { name: decoder, value: metric.score, low: metric.interval[0], high: metric.interval[1], role: 'ours' },
    ...control('nearest training', nearestTraining),
    ...control(mean, meanPicture),
    ...(isShuffled
      ? [
          {
            name: 'shuffled',
            value: shuffled.mean,
            low: shuffled.mean,
            high: shuffled.p95,
            role: 'control',
          } as const,
        ]
      : []),
    ...(bestTraining === undefined
      ? []
      : [{ name: 'best of training', value: bestTraining, role: 'limit' } as const]),
  ];
}

const WIDTH = 250;

function beside(
  name: string,
  title: string,
  metric: MetricResult,
  decoder: string,
  mean: string,
  isShuffled: boolean,
): Promise<Figure> {
  const rows = rowsOf(metric, decoder, mean, isShuffled);
  const spoken = rows.map((row) => `${row.name} ${score(row.value)}`).join(', ');
  const values = rows.map((row) => ({ ...row, label: minus(row.value.toFixed(3)) }));
  const lowest = Math.min(metric.chance, ...rows.map((row) => row.low ?? row.value));
  const least = metric.chance === 0.5 ? 0.4 : metric.chance === 0 ? -0.1 : 0;
  const domain = [Math.min(least, Math.floor(lowest * 10) / 10), 1];
  const x = {
    field: 'value',
    type: 'quantitative',
    scale: { domain, nice: false },
    axis: { title, tickCount: 6 },
  };
  const y = {
    field: 'name',
    type: 'nominal',
    sort: rows.map((row) => row.name),
    axis: { title: null, labelColor: COLOUR.ink, labelFontSize: 12, minExtent: 104, maxExtent: 104 },
  };
  const colour = {
    field: 'role',
    type: 'nominal',
    legend: null,
    scale: { domain: ['ours', 'control', 'limit'], range: [COLOUR.ours, COLOUR.control, COLOUR.other] },
  };
  return draw(name, `${title}: ${spoken}; chance ${short(metric.chance)}.`, {
    width: WIDTH,
    height: rows.length * 26,
    data: { values },
    layer: [
      {
        data: { values: [{ chance: metric.chance }] },
        mark: { type: 'rule', color: COLOUR.mark, strokeDash: [4, 3] },
        encoding: { x: { field: 'chance', type: 'quantitative' } },
      },
      {
        data: { values: [{ chance: metric.chance }] },
        mark: { type: 'text', color: COLOUR.mark, align: 'left', dx: 4, y: -7, baseline: 'middle' },
        encoding: { x: { field: 'chance', type: 'quantitative' }, text: { value: 'chance' } },
      },
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'rule', strokeWidth: 3, opacity: 0.45 },
        encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' }, y, color: colour },
      },
      { mark: { type: 'point', filled: true, size: 90, opacity: 1 }, encoding: { x, y, color: colour } },
      {
        // A column of its own: beside the points, numbers and lines would cross.
        mark: { type: 'text', x: WIDTH + 14, align: 'left', fontSize: 12, color: COLOUR.ink },
        encoding: { y, text: { field: 'label' } },
      },
    ],
  });
}
