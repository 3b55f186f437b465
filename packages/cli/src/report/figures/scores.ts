import type { Evaluation, MetricResult } from '@fmri2image/core';
import { baselineOf, CONSTANT, canBeGuessed, constantOf } from '../../pipeline/baselines.ts';
import type { ReportData } from '../data.ts';
import { minus, score, short } from '../format.ts';
import { draw, type Figure } from '../plot.ts';
import { COLOUR } from '../theme.ts';
import { decoderOf } from '../words.ts';
import { LINES, wrapped } from './wrapped.ts';

/** One metric beside its controls: a row each. */
export async function drawScores(
  data: Pick<ReportData, 'evaluation' | 'made' | 'results'>,
): Promise<Figure[]> {
  const { evaluation } = data;
  const { twoWay, frameCorrelation, retrieval } = evaluation;
  const decoder = decoderOf(data);
  const metrics: [name: string, title: string, metric: MetricResult][] = [
    ['scores-identification', 'Two-way identification', twoWay],
    ['scores-correlation', 'Frame correlation', frameCorrelation],
  ];
  if (retrieval) {
    metrics.push(
      ['scores-image-to-brain', 'Retrieval, image to brain', retrieval.imageToBrain],
      ['scores-brain-to-image', 'Retrieval, brain to image', retrieval.brainToImage],
    );
  }
  const figures: Figure[] = [];
  for (const [name, title, metric] of metrics) {
    figures.push(await beside(name, title, metric, rowsOf(metric, decoder, evaluation)));
  }
  return figures;
}

interface Row {
  readonly name: string;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
  readonly role: 'ours' | 'control' | 'limit';
}

function rowsOf(metric: MetricResult, decoder: string, evaluation: Evaluation): Row[] {
  const { nearestTraining, shuffled, bestTraining } = metric;
  const one = (name: string, value: number | undefined, role: Row['role'] = 'control'): Row[] =>
    value === undefined ? [] : [{ name, value, role }];
  // Without rearrangements nothing was shuffled.
  const isShuffled = evaluation.permutation.reason === undefined;
  return [
    { name: decoder, value: metric.score, low: metric.interval[0], high: metric.interval[1], role: 'ours' },
    ...one('nearest training', nearestTraining),
    ...one(CONSTANT, constantOf(metric, evaluation)),
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
    ...one('best of training', bestTraining, 'limit'),
  ];
}

const WIDTH = 250;
/** Room for names, and characters that fit into it. */
const NAMES = { width: 132, characters: 20 };

function beside(name: string, title: string, metric: MetricResult, rows: readonly Row[]): Promise<Figure> {
  const spoken = rows.map((row) => `${row.name} ${score(row.value)}`).join(', ');
  const values = rows.map((row) => ({
    ...row,
    name: wrapped(row.name, NAMES.characters),
    label: minus(row.value.toFixed(3)),
  }));
  const baseline = baselineOf(metric);
  const lowest = Math.min(baseline.at, ...rows.map((row) => row.low ?? row.value));
  const least = metric.chance === 0.5 ? 0.4 : 0;
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
    sort: values.map((row) => row.name),
    axis: {
      title: null,
      labelColor: COLOUR.ink,
      labelFontSize: 12,
      labelExpr: LINES,
      labelLimit: 2 * NAMES.width,
      minExtent: NAMES.width,
      maxExtent: NAMES.width,
    },
  };
  const colour = {
    field: 'role',
    type: 'nominal',
    legend: null,
    scale: { domain: ['ours', 'control', 'limit'], range: [COLOUR.ours, COLOUR.control, COLOUR.other] },
  };
  const line = { data: { values: [baseline] }, x: { field: 'at', type: 'quantitative' } };
  const most = Math.max(...values.map((row) => row.name.split('\n').length));
  const stated = canBeGuessed(metric) ? `; chance ${short(metric.chance)}` : '';
  return draw(name, `${title}: ${spoken}${stated}.`, {
    width: WIDTH,
    height: rows.length * Math.max(26, 15 * most + 4),
    data: { values },
    layer: [
      {
        data: line.data,
        mark: { type: 'rule', color: COLOUR.mark, strokeDash: [4, 3] },
        encoding: { x: line.x },
      },
      {
        data: line.data,
        mark: {
          type: 'text',
          color: COLOUR.mark,
          // Inside the plot, wherever the line is.
          align: baseline.at > (domain[0]! + 1) / 2 ? 'right' : 'left',
          dx: baseline.at > (domain[0]! + 1) / 2 ? -4 : 4,
          y: -7,
          baseline: 'middle',
        },
        encoding: { x: line.x, text: { field: 'text' } },
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
