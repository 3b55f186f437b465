import { score } from '../report/format.ts';
import { draw, type Figure } from '../report/plot.ts';
import { COLOUR } from '../report/theme.ts';
import type { DecodedRegions } from './decodeRegions.ts';

const WIDTH = 420;
const LINE = 28;
/** The two that are drawn, as the table beside them calls them. */
const [ALONE, WITHOUT] = ['alone', 'left out'];

/** Of each score a drawing: what regions reach alone, and what all voxels but theirs reach; by name. */
export async function drawRegions({ scores }: DecodedRegions): Promise<Map<string, Figure>> {
  const figures = new Map<string, Figure>();
  for (const one of scores) {
    const figure = await drawScore(one);
    figures.set(figure.name, figure);
  }
  return figures;
}

export const regionFigure = (name: string) => `regions-${name}`;

function drawScore({ name, words, all, chance, regions }: DecodedRegions['scores'][number]): Promise<Figure> {
  const values = regions.flatMap(({ region, alone, without }) => [
    { region, fitted: ALONE, score: alone },
    ...(without === undefined ? [] : [{ region, fitted: WITHOUT, score: without }]),
  ]);
  const reached = [all, chance, ...values.map(({ score }) => score)];
  const [low, high] = [Math.min(...reached), Math.max(...reached)];
  const room = 0.06 * (high - low || 1);
  const x = {
    field: 'score',
    type: 'quantitative',
    scale: { domain: [low - room, high + room], nice: false },
    axis: { title: words, tickCount: 6 },
  };
  const y = {
    field: 'region',
    type: 'nominal',
    sort: regions.map(({ region }) => region),
    axis: { title: null, labelColor: COLOUR.ink, labelFontSize: 12, labelLimit: 160 },
  };
  /** A threshold across all regions, named above. */
  const line = (at: number, text: string, colour: string) => [
    {
      data: { values: [{ score: at }] },
      mark: { type: 'rule', color: colour, strokeDash: [4, 3] },
      encoding: { x },
    },
    {
      data: { values: [{ score: at, text }] },
      mark: { type: 'text', color: colour, y: -8, baseline: 'middle', align: 'center' },
      encoding: { x, text: { field: 'text' } },
    },
  ];
  const spoken = regions.map(
    ({ region, alone, without }) => `${region} ${score(alone)} ${ALONE}, ${score(without)} ${WITHOUT}`,
  );
  return draw(
    regionFigure(name),
    `${words} of each region: ${spoken.join('; ')}; all voxels ${score(all)}, chance ${score(chance)}.`,
    {
      width: WIDTH,
      height: regions.length * LINE,
      data: { values },
      layer: [
        ...line(chance, 'chance', COLOUR.mark),
        ...line(all, 'all voxels', COLOUR.ink),
        {
          mark: { type: 'point', filled: true, size: 90, opacity: 1 },
          encoding: {
            x,
            y,
            color: {
              field: 'fitted',
              type: 'nominal',
              scale: { domain: [ALONE, WITHOUT], range: [COLOUR.ours, COLOUR.other] },
              legend: { title: null, orient: 'bottom', labelColor: COLOUR.ink, labelFontSize: 12 },
            },
            shape: {
              field: 'fitted',
              type: 'nominal',
              scale: { domain: [ALONE, WITHOUT], range: ['circle', 'diamond'] },
            },
          },
        },
      ],
    },
  );
}
