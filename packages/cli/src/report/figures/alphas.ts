import type { ReportData } from '../data.ts';
import { counted } from '../format.ts';
import { draw, type Figure } from '../plot.ts';
import { COLOUR } from '../theme.ts';

interface CrossValidation {
  readonly grid: readonly number[];
  readonly chosen: readonly number[];
}

/** How many targets chose which penalty, in each fold; where penalties were chosen. */
export async function drawAlphas({ folds }: Pick<ReportData, 'folds'>): Promise<Figure[]> {
  const values = folds.flatMap(({ heldOut = 'all', report }) => {
    const chosen = report.crossValidation as unknown as CrossValidation | undefined;
    if (!Array.isArray(chosen?.grid) || !Array.isArray(chosen?.chosen)) return [];
    return chosen.grid.map((alpha, i) => ({ fold: heldOut, alpha, targets: chosen.chosen[i] ?? 0 }));
  });
  if (values.length === 0) return [];
  const names = [...new Set(values.map(({ fold }) => fold))];
  const most = Math.max(...values.map(({ targets }) => targets));
  const encoding = {
    x: {
      field: 'alpha',
      type: 'quantitative',
      scale: { type: 'log', nice: false, padding: 12 },
      axis: { format: '~s', title: 'ridge penalty (alpha)', values: decades(values) },
    },
    y: {
      field: 'fold',
      type: 'nominal',
      sort: names,
      axis: { title: null, labelColor: COLOUR.ink, labelLimit: 130 },
    },
  };
  const description = `Penalties chosen in ${counted(names.length, 'fold')} among ${values.length / names.length} values each; the area of a circle is the number of targets that chose it.`;
  return [
    await draw('alphas', description, {
      width: 300,
      height: Math.max(60, names.length * 30),
      data: { values },
      layer: [
        { mark: { type: 'tick', thickness: 1.5, size: 9, color: COLOUR.control, opacity: 0.7 }, encoding },
        {
          transform: [{ filter: 'datum.targets > 0' }],
          mark: { type: 'point', filled: true, color: COLOUR.ours, opacity: 0.85 },
          encoding: {
            ...encoding,
            size: {
              field: 'targets',
              type: 'quantitative',
              legend: null,
              scale: { domain: [0, most], range: [8, 420] },
            },
          },
        },
      ],
    }),
  ];
}

/** Whole powers of ten that the axis crosses. */
function decades(values: readonly { alpha: number }[]): number[] {
  const logs = values.map(({ alpha }) => Math.log10(alpha));
  const [low, high] = [Math.ceil(Math.min(...logs)), Math.floor(Math.max(...logs))];
  const step = Math.max(1, Math.ceil((high - low) / 6));
  const list: number[] = [];
  for (let power = low; power <= high; power += step) list.push(10 ** power);
  return list;
}
