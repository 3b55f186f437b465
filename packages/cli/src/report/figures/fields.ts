import type { FittedMaps, FoldRecord } from '../../pipeline/folds.ts';
import type { ReportData } from '../data.ts';
import { counted, median, short } from '../format.ts';
import { draw, type Figure } from '../plot.ts';
import { COLOUR } from '../theme.ts';
import { histogram, histogramLayer } from './histogram.ts';

/** Circles on the map, at most: more would hide each other. */
export const MOST_CIRCLES = 400;
const MAP_WIDTH = 400;

/** Receptive fields and response of a retinotopic decoder. The maps are of the first fold, the responses of all. */
export async function drawFields({ folds }: Pick<ReportData, 'folds'>): Promise<Figure[]> {
  const first = folds.find(({ maps }) => maps)?.maps;
  if (!first || first.fields.x.length === 0) return [];
  return [await map(first), await sizes(first), await fits(first), await responses(folds)];
}

/** Where and how wide voxels look: circles of one standard deviation. */
function map({ fields }: FittedMaps): Promise<Figure> {
  const { left, right, top, bottom } = fields.extent;
  const best = Array.from(fields.x, (_, i) => i)
    .sort((a, b) => fields.correlation[b]! - fields.correlation[a]!)
    .slice(0, MOST_CIRCLES);
  const scale = MAP_WIDTH / Math.abs(right - left);
  const height = Math.round(scale * Math.abs(top - bottom));
  const values = best
    .map((i) => ({
      x: fields.x[i]!,
      y: fields.y[i]!,
      // Area of the symbol in pixels: a circle of this size has a radius of half its root.
      area: (2 * fields.size[i]! * scale) ** 2,
      fit: fields.correlation[i]!,
    }))
    .reverse();
  const count = counted(fields.x.length, 'voxel');
  const description = `Receptive fields of ${best.length < fields.x.length ? `the ${best.length} best fitted of ${count}` : count} in the visual field: centres and circles of one standard deviation, darker where the fit is better. Median size ${short(median(fields.size))} ${fields.unit}.`;
  const encoding = {
    x: {
      field: 'x',
      type: 'quantitative',
      scale: { domain: [left, right], nice: false },
      axis: { title: `horizontal (${fields.unit})`, grid: false },
    },
    y: {
      field: 'y',
      type: 'quantitative',
      scale: { domain: [bottom, top], nice: false },
      axis: { title: `vertical (${fields.unit})`, grid: false, domain: true, ticks: true },
    },
  };
  return draw('receptive-fields', description, {
    width: MAP_WIDTH,
    height,
    view: { stroke: COLOUR.muted },
    data: { values },
    layer: [
      {
        mark: { type: 'point', shape: 'circle', clip: true, strokeWidth: 1, color: COLOUR.ours },
        encoding: {
          ...encoding,
          size: { field: 'area', type: 'quantitative', scale: null, legend: null },
          opacity: {
            field: 'fit',
            type: 'quantitative',
            scale: { domain: [0, 1], range: [0.05, 0.5] },
            legend: null,
          },
        },
      },
      {
        mark: { type: 'point', filled: true, size: 9, clip: true, color: COLOUR.mark, opacity: 0.9 },
        encoding,
      },
    ],
  });
}

/** Size grows with eccentricity in every visual area: a check that needs no ground truth. */
function sizes({ fields }: FittedMaps): Promise<Figure> {
  const centre = fields.unit === 'degrees' ? { x: 0, y: 0 } : middle(fields.extent);
  const values = Array.from(fields.x, (x, i) => ({
    eccentricity: Math.hypot(x - centre.x, fields.y[i]! - centre.y),
    size: fields.size[i]!,
  }));
  const unit = fields.unit === 'degrees' ? '°' : 'pixels';
  const description = `Size of ${counted(values.length, 'receptive field')} against eccentricity, with the medians of ten equal groups.`;
  const axis = (title: string) => ({ title: `${title} (${unit})`, tickCount: 5 });
  const encoding = {
    x: { field: 'eccentricity', type: 'quantitative', axis: axis('eccentricity') },
    y: { field: 'size', type: 'quantitative', axis: axis('size') },
  };
  return draw('size-eccentricity', description, {
    width: 400,
    height: 200,
    layer: [
      {
        data: { values },
        mark: { type: 'point', filled: true, size: 14, color: COLOUR.ours, opacity: 0.3 },
        encoding,
      },
      {
        data: { values: medians(values) },
        mark: { type: 'line', color: COLOUR.mark, strokeWidth: 2, point: { color: COLOUR.mark, size: 35 } },
        encoding,
      },
    ],
  });
}

const middle = ({ left, right, top, bottom }: FittedMaps['fields']['extent']) => ({
  x: (left + right) / 2,
  y: (top + bottom) / 2,
});

/** Medians of both over ten groups of equally many. */
function medians(values: readonly { eccentricity: number; size: number }[]) {
  const sorted = values.toSorted((a, b) => a.eccentricity - b.eccentricity);
  const groups = Math.min(10, sorted.length);
  return Array.from({ length: groups }, (_, g) => {
    const from = Math.floor((g * sorted.length) / groups);
    const group = sorted.slice(from, Math.floor(((g + 1) * sorted.length) / groups));
    return {
      eccentricity: median(group.map(({ eccentricity }) => eccentricity)),
      size: median(group.map(({ size }) => size)),
    };
  });
}

function fits({ fields }: FittedMaps): Promise<Figure> {
  const scores = [...fields.correlation];
  const low = Math.min(0, Math.floor(Math.min(...scores) * 10) / 10);
  const bins = 20;
  const values = histogram(scores, [low, 1], bins);
  const centre = median(scores);
  const description = `Fit of ${counted(scores.length, 'selected voxel')} to the training volumes: correlations from ${short(Math.min(...scores))} to ${short(Math.max(...scores))}, median ${short(centre)}.`;
  const x = {
    type: 'quantitative',
    scale: { domain: [low, 1], nice: false },
    axis: { title: 'correlation of prediction and training response', tickCount: 6, grid: false },
  };
  return draw('fit', description, {
    width: 400,
    height: 150,
    layer: [
      histogramLayer(values, x, 'voxels', { color: COLOUR.ours, opacity: 0.85 }),
      {
        data: { values: [{ at: centre }] },
        mark: { type: 'rule', strokeDash: [4, 3], strokeWidth: 1.5, color: COLOUR.ink },
        encoding: { x: { ...x, field: 'at' } },
      },
      {
        data: { values: [{ at: centre, text: `median ${centre.toFixed(2)}` }] },
        mark: { type: 'text', y: 2, baseline: 'top', align: 'right', dx: -5, color: COLOUR.ink },
        encoding: { x: { ...x, field: 'at' }, text: { field: 'text' } },
      },
    ],
  });
}

/** Haemodynamic responses of all folds. */
function responses(folds: readonly FoldRecord[]): Promise<Figure> {
  const values = folds.flatMap(({ maps, heldOut = 'all' }) =>
    maps
      ? Array.from(maps.hrf.times, (time, i) => ({ time, value: maps.hrf.values[i]!, fold: heldOut }))
      : [],
  );
  const peak = values.reduce((best, point) => (point.value > best.value ? point : best), values[0]!);
  const description = `Haemodynamic response function${folds.length > 1 ? 's of the folds' : ''}: the largest peaks ${short(peak.time)} s after the event.`;
  return draw('hrf', description, {
    width: 400,
    height: 150,
    data: { values },
    layer: [
      {
        mark: { type: 'line', color: COLOUR.ours, strokeWidth: 2, opacity: folds.length > 1 ? 0.6 : 1 },
        encoding: {
          x: {
            field: 'time',
            type: 'quantitative',
            title: 'seconds after a brief event',
            scale: { nice: false },
          },
          y: { field: 'value', type: 'quantitative', title: 'response', axis: { tickCount: 4 } },
          detail: { field: 'fold', type: 'nominal' },
        },
      },
      {
        data: { values: [{ ...peak, text: `peak at ${peak.time.toFixed(1)} s` }] },
        mark: { type: 'text', align: 'left', dx: 10, dy: -3, color: COLOUR.ink },
        encoding: {
          x: { field: 'time', type: 'quantitative' },
          y: { field: 'value', type: 'quantitative' },
          text: { field: 'text' },
        },
      },
    ],
  });
}
