import { F2iError } from '../../error.ts';
import { didYouMean, shortList } from '../study/nearest.ts';
import { takeVoxels } from '../study/selection.ts';
import type { VoxelSelection } from '../study/study.ts';

/**
 * Columns of the ROIs that a user names: `nsdgeneral`, `streams` (all its labels), `streams:early`, or `early` where one
 * atlas alone has such a label. `+` joins: `prf-visualrois:V1v+V1d` stays in the atlas, `streams:early+floc-faces:OFA`
 * names another.
 *
 * @param field of errors: the option that named them
 * @returns ascending, each once
 * @throws USAGE listing the ROIs that there are
 */
export function regionColumns(
  regions: ReadonlyMap<string, Int32Array>,
  wanted: string,
  field = 'roi',
): Int32Array {
  const found = new Set<number>();
  let atlas: string | undefined;
  for (const word of wanted.split('+').map((part) => part.trim())) {
    const name = resolve(regions, word, atlas, field);
    atlas = name.includes(':') ? name.slice(0, name.indexOf(':')) : undefined;
    for (const column of regions.get(name)!) found.add(column);
  }
  return Int32Array.from(found).sort();
}

function resolve(
  regions: ReadonlyMap<string, Int32Array>,
  word: string,
  atlas: string | undefined,
  field: string,
): string {
  if (atlas !== undefined && regions.has(`${atlas}:${word}`)) return `${atlas}:${word}`;
  if (regions.has(word)) return word;
  const names = [...regions.keys()];
  const among = names.filter((name) => name.endsWith(`:${word}`));
  if (among.length === 1) return among[0]!;
  if (among.length > 1) {
    throw new F2iError('USAGE', `several atlases have a label ${word}`, {
      field,
      expected: among.join(' or '),
      found: word,
    });
  }
  const labels = names.map((name) => name.slice(name.indexOf(':') + 1));
  throw new F2iError('USAGE', `no such ROI${didYouMean(word, [...names, ...labels])}`, {
    field,
    expected: names.length > 0 ? `one of ${shortList(names, 60)}` : 'a recording with ROIs: this has none',
    found: JSON.stringify(word),
  });
}

/** What is known of voxels, for some of them alone. */
export function takeColumns(
  selection: VoxelSelection,
  regions: ReadonlyMap<string, Int32Array>,
  columns: Int32Array,
): { selection: VoxelSelection; regions: Map<string, Int32Array> } {
  const placeOf = new Map(Array.from(columns, (column, place) => [column, place]));
  const inside = [...regions].map(([name, own]): [string, Int32Array] => [
    name,
    Int32Array.from(own)
      .filter((column) => placeOf.has(column))
      .map((column) => placeOf.get(column)!),
  ]);
  return { selection: takeVoxels(selection, columns), regions: new Map(inside) };
}

/** @throws INVALID_ARGUMENT for columns that are not there, or not ascending */
export function checkColumns(columns: Int32Array, voxels: number): void {
  const wrong = columns.findIndex(
    (column, i) => column < 0 || column >= voxels || (i > 0 && column <= columns[i - 1]!),
  );
  if (wrong < 0 && columns.length > 0) return;
  throw new F2iError('INVALID_ARGUMENT', 'not a choice of voxels', {
    field: 'columns',
    expected: `columns from 0 to ${voxels - 1}, ascending, one or more`,
    found: wrong < 0 ? 'none' : `${columns[wrong]} at ${wrong}`,
  });
}
