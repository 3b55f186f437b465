import { percent } from '../format.ts';
import { draw, type Figure } from '../plot.ts';
import { COLOUR } from '../theme.ts';

/** More labels than this have no numbers in their cells. */
const MOST_NUMBERS = 16;
/** Opacity of a cell that holds a whole row: above it, numbers would not stand out in either mode. */
const DARKEST = 0.5;

/**
 * Draws a confusion matrix: rows are what was shown, columns what was decoded. Cells are filled by their share of the row,
 * from the colour of the page (0) on; in them stand the share in per cent and the count.
 *
 * @param what is counted: `volumes`
 */
export function drawConfusion(
  name: string,
  names: readonly string[],
  confusion: readonly (readonly number[])[],
  what: string,
): Promise<Figure> {
  const values = names.flatMap((shown, i) => {
    const row = confusion[i]!;
    const total = row.reduce((sum, count) => sum + count, 0);
    return names.map((decoded, j) => {
      const share = total === 0 ? 0 : row[j]! / total;
      return {
        shown,
        decoded,
        count: row[j]!,
        share,
        percent: `${Math.round(100 * share)} %`,
        right: i === j,
      };
    });
  });
  const side = names.length > MOST_NUMBERS ? 18 : 56;
  const axis = { labelColor: COLOUR.ink, labelLimit: 140, domain: false, ticks: false, grid: false };
  const encoding = {
    x: {
      field: 'decoded',
      type: 'nominal',
      sort: names,
      axis: { ...axis, title: 'decoded', orient: 'top', labelAngle: -40 },
      scale: { paddingInner: 0.04 },
    },
    y: {
      field: 'shown',
      type: 'nominal',
      sort: names,
      axis: { ...axis, title: 'shown' },
      scale: { paddingInner: 0.04 },
    },
  };
  const text = (field: string, dy: number, mark: object) => ({
    transform: [{ filter: 'datum.count > 0' }],
    mark: { type: 'text', dy, color: COLOUR.ink, ...mark },
    encoding: { ...encoding, text: { field } },
  });
  const numbers =
    names.length > MOST_NUMBERS
      ? []
      : [
          text('percent', -6, {
            fontSize: 13,
            fontWeight: { expr: "datum.right ? 'bold' : 'normal'" },
          }),
          text('count', 10, { fontSize: 10.5 }),
        ];
  return draw(name, describe(names, confusion, what), {
    width: side * names.length,
    height: side * names.length,
    data: { values },
    layer: [
      {
        mark: { type: 'rect', color: COLOUR.ours, stroke: COLOUR.rule, strokeWidth: 1 },
        encoding: {
          ...encoding,
          fillOpacity: {
            field: 'share',
            type: 'quantitative',
            scale: { domain: [0, 1], range: [0, DARKEST] },
            legend: null,
          },
        },
      },
      ...numbers,
    ],
  });
}

/** For those who do not see it: what is right, and the commonest mistakes. The table beside it has every number. */
function describe(names: readonly string[], confusion: readonly (readonly number[])[], what: string): string {
  const sum = (row: readonly number[]) => row.reduce((total, count) => total + count, 0);
  const right = names.map((name, i) => {
    const total = sum(confusion[i]!);
    return total === 0 ? `${name} never shown` : `${name} ${percent(confusion[i]![i]! / total, 0)}`;
  });
  const mistakes = names
    .flatMap((shown, i) =>
      names.map((decoded, j) => ({ shown, decoded, count: i === j ? 0 : confusion[i]![j]! })),
    )
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, 3)
    .map(({ shown, decoded, count }) => `${shown} as ${decoded} (${count})`);
  const most = mistakes.length === 0 ? 'no mistakes' : `commonest mistakes: ${mistakes.join(', ')}`;
  return `Confusion matrix of ${sum(confusion.map(sum))} ${what}. Right: ${right.join(', ')}; ${most}.`;
}
