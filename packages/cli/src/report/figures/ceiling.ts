import type { ReportData } from '../data.ts';
import { counted, median, percent } from '../format.ts';
import { draw, type Figure } from '../plot.ts';
import { COLOUR } from '../theme.ts';
import { histogram, histogramLayer } from './histogram.ts';

const BINS = 25;

/** How much of the voxels' variance the stimulus explains; where stimuli repeat. */
export async function drawCeiling({ ceiling }: Pick<ReportData, 'ceiling'>): Promise<Figure[]> {
  if (!ceiling) return [];
  const shares = [...ceiling.singleTrial];
  const middle = median(shares);
  const values = histogram(shares, [0, 1], BINS);
  const x = {
    type: 'quantitative',
    scale: { domain: [0, 1], nice: false },
    axis: {
      title: 'share of the variance of one response that the stimulus explains',
      tickCount: 6,
      format: '.0%',
      grid: false,
    },
  };
  const description = `Noise ceiling of ${counted(shares.length, 'voxel')} for single trials: median ${percent(middle)}.`;
  return [
    await draw('noise-ceiling', description, {
      width: 400,
      height: 150,
      layer: [
        histogramLayer(values, x, 'voxels', { color: COLOUR.other, opacity: 0.8 }),
        {
          data: { values: [{ at: middle, text: `median ${percent(middle, 0)}` }] },
          mark: { type: 'rule', strokeDash: [4, 3], strokeWidth: 1.5, color: COLOUR.ink },
          encoding: { x: { ...x, field: 'at' } },
        },
        {
          data: { values: [{ at: middle, text: `median ${percent(middle, 0)}` }] },
          mark: { type: 'text', y: 2, baseline: 'top', align: 'left', dx: 5, color: COLOUR.ink },
          encoding: { x: { ...x, field: 'at' }, text: { field: 'text' } },
        },
      ],
    }),
  ];
}
