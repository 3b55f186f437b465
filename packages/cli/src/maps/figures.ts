import { histogram, histogramLayer } from '../report/figures/histogram.ts';
import { median, short } from '../report/format.ts';
import { draw, type Figure } from '../report/plot.ts';
import { COLOUR } from '../report/theme.ts';
import { type MadeMap, type MadeMaps, selectionOf } from './made.ts';
import { drawMosaic } from './mosaic.ts';
import { drawRegions } from './regionFigures.ts';

const BINS = 30;

/** Slices of each map, and a histogram; scores of decoded regions; by name. Voxels of no image have histograms alone. */
export async function drawMaps(made: MadeMaps, signal: AbortSignal): Promise<Map<string, Figure>> {
  const figures = new Map<string, Figure>();
  for (const map of made.maps) {
    signal.throwIfAborted();
    if (made.selection.space?.kind === 'image') {
      figures.set(map.name, drawMosaic(map, selectionOf(made, map)));
    }
    const name = `${map.name}-histogram`;
    figures.set(name, await drawHistogram(name, map));
  }
  if (made.decoded) for (const [name, figure] of await drawRegions(made.decoded)) figures.set(name, figure);
  return figures;
}

function drawHistogram(name: string, { title, values }: MadeMap): Promise<Figure> {
  const list = [...values].filter(Number.isFinite);
  const low = Math.min(
    0,
    list.reduce((a, b) => Math.min(a, b), 0),
  );
  const high = list.reduce((a, b) => Math.max(a, b), low) || 1;
  const middle = median(list);
  const bins = histogram(list, [low, high], BINS);
  const x = {
    type: 'quantitative',
    scale: { domain: [low, high], nice: false },
    axis: { title: 'value, in the unit above', tickCount: 6, grid: false },
  };
  const at = { data: { values: [{ at: middle, text: `median ${short(middle)}` }] } };
  const description = `${title}: values of ${list.length} voxels from ${short(low)} to ${short(high)}, median ${short(middle)}.`;
  return draw(name, description, {
    width: 420,
    height: 130,
    layer: [
      histogramLayer(bins, x, 'voxels', {
        color: COLOUR.ours,
        opacity: 0.8,
        // Room for the words above.
        scale: { domain: [0, 1.18 * Math.max(...bins.map(({ count }) => count))], nice: false },
      }),
      {
        ...at,
        mark: { type: 'rule', strokeDash: [4, 3], strokeWidth: 1.5, color: COLOUR.ink },
        encoding: { x: { ...x, field: 'at' } },
      },
      {
        ...at,
        mark: { type: 'text', y: 2, baseline: 'top', align: 'left', dx: 5, color: COLOUR.ink },
        encoding: { x: { ...x, field: 'at' }, text: { field: 'text' } },
      },
    ],
  });
}
