import { CONSTANT } from '../../pipeline/baselines.ts';
import { type ReportData, runsOf } from '../data.ts';
import { counted } from '../format.ts';
import { draw, type Figure } from '../plot.ts';
import { COLOUR } from '../theme.ts';

/** The score of each frame along its run, beside those of the constant prediction; continuous stimuli alone. */
export async function drawTimelines(
  data: Pick<ReportData, 'study' | 'results' | 'evaluation'>,
): Promise<Figure[]> {
  const { study, results, evaluation } = data;
  if (!study.continuous) return [];
  const { perTrial, controls } = evaluation.frameCorrelation;
  const runs = runsOf(data).filter(({ places }) => places.length > 0);
  const starts = new Map(study.runs.map(({ name, start }) => [name, start]));
  const values = runs.flatMap(({ run, places }) => {
    let previous = Number.NaN;
    let stretch = 0;
    return places.flatMap((place) => {
      const index = evaluation.scored[place]!;
      const { volume } = study.trials[results.items[index]!.trials[0]!]!;
      // Lines stop where frames are not scored.
      if (volume !== previous + 1) stretch++;
      previous = volume!;
      const seconds = (volume! - (starts.get(run) ?? 0)) * study.tr!;
      const point = { run, seconds };
      const mean = controls.meanPicture?.[place];
      return [
        { ...point, score: perTrial[place]!, who: 'decoder', line: `decoder ${stretch}` },
        ...(mean === undefined
          ? []
          : [{ ...point, score: mean, who: CONSTANT, line: `constant ${stretch}` }]),
      ];
    });
  });
  const low = Math.min(0, ...values.map(({ score }) => score));
  const colour = {
    field: 'who',
    type: 'nominal',
    scale: { domain: ['decoder', CONSTANT], range: [COLOUR.ours, COLOUR.control] },
    legend: {
      orient: 'top',
      title: null,
      direction: 'horizontal',
      labelFontSize: 12,
      symbolType: 'stroke',
      symbolStrokeWidth: 3,
      labelColor: COLOUR.ink,
    },
  };
  const encoding = {
    x: {
      field: 'seconds',
      type: 'quantitative',
      axis: { title: 'seconds from the start of the run', tickCount: 10 },
      scale: { nice: false, zero: true },
    },
    y: {
      field: 'score',
      type: 'quantitative',
      title: null,
      scale: { domain: [Math.floor(low * 10) / 10, 1], nice: false },
      axis: { tickCount: 4 },
    },
    color: colour,
  };
  const description = `Frame correlation over time in ${counted(runs.length, 'run')}: ${runs
    .map(({ run, places }) => {
      const mean = places.reduce((sum, place) => sum + perTrial[place]! / places.length, 0);
      return `${run} ${mean.toFixed(2)} on average`;
    })
    .join(', ')}.`;
  return [
    await draw('timeline', description, {
      data: { values },
      facet: {
        row: {
          field: 'run',
          type: 'nominal',
          sort: runs.map(({ run }) => run),
          title: null,
          header: {
            labelAngle: 0,
            labelAlign: 'left',
            labelOrient: 'top',
            labelAnchor: 'start',
            labelPadding: 2,
          },
        },
      },
      spacing: 14,
      resolve: { scale: { x: 'shared' } },
      spec: {
        width: 780,
        height: 90,
        layer: [
          {
            mark: { type: 'line', strokeWidth: 2 },
            encoding: { ...encoding, detail: { field: 'line', type: 'nominal' } },
          },
          { mark: { type: 'point', filled: true, size: 16, opacity: 1 }, encoding },
        ],
      },
    }),
  ];
}
