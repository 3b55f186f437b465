import { regionColumns } from '../../data/recording/regions.ts';
import type { Band } from '../../decoders/ridge/bands.ts';
import { F2iError } from '../../error.ts';

/** ROIs as bands of a design, and what became of its voxels. */
export interface RegionBands {
  /** Each with its places in `columns`, in the order in which they were named. */
  readonly bands: readonly Band[];
  /** Voxels of the recording that are in a band, ascending: the columns of the design. */
  readonly columns: Int32Array;
  /** In words: `early 3024 voxels, ventral 1200 voxels`, and what was left out, shared or empty. */
  readonly counts: readonly string[];
}

/**
 * Bands out of ROIs by their names, as `regionColumns` takes them: `streams:early,streams:ventral+lateral`. The name of an
 * atlas stands for all of its labels, each a band. A voxel of several goes to the first that was named; one of none takes no
 * part.
 *
 * @param columns voxels that a head reads, ascending
 * @throws USAGE for names that there are not, and where fewer than two bands have voxels
 */
export function regionBands(
  regions: ReadonlyMap<string, Int32Array>,
  columns: Int32Array,
  names: readonly string[],
  field = 'bands',
): RegionBands {
  const wanted = names.flatMap((name) => labelsOf(regions, name) ?? [name]);
  const twice = wanted.find((name, i) => wanted.indexOf(name) !== i);
  if (twice !== undefined) throw usage(field, 'a band is named twice', 'each once', twice);
  const inDesign = new Set(columns);
  const owner = new Map<number, number>();
  const shared = new Map<string, number>();
  const empty: string[] = [];
  const members = wanted.map((name, band) => {
    const all = regionColumns(regions, name, field).filter((column) => inDesign.has(column));
    if (all.length === 0) empty.push(name);
    return all.filter((column) => {
      const before = owner.get(column);
      if (before === undefined) {
        owner.set(column, band);
        return true;
      }
      const pair = `${wanted[before]} and ${name}`;
      shared.set(pair, (shared.get(pair) ?? 0) + 1);
      return false;
    });
  });
  const kept = columns.filter((column) => owner.has(column));
  const placeOf = new Map(Array.from(kept, (column, place) => [column, place]));
  const bands = wanted.flatMap((name, b): Band[] =>
    members[b]!.length > 0 ? [{ name, columns: members[b]!.map((column) => placeOf.get(column)!) }] : [],
  );
  if (bands.length < 2) {
    const found = bands.length === 0 ? 'none' : `${bands[0]!.name} alone`;
    throw usage(
      field,
      'bands are compared with each other',
      'two or more with voxels that the head reads',
      found,
    );
  }
  const covered = wanted.filter((name, b) => members[b]!.length === 0 && !empty.includes(name));
  const rest = columns.length - kept.length;
  return {
    bands,
    columns: kept,
    counts: [
      bands.map(({ name, columns: own }) => `${name} ${voxels(own.length)}`).join(', '),
      ...[...shared].map(([pair, count]) => `${voxels(count)} of both ${pair}: taken as the first`),
      ...empty.map((name) => `${name} has none of the voxels that the head reads: left out`),
      ...covered.map((name) => `${name} has no voxel of its own: left out`),
      ...(rest > 0 ? [`${voxels(rest)} of no band: left out`] : []),
    ],
  };
}

/** `streams:early`, ... where an atlas is named that has labels. */
function labelsOf(regions: ReadonlyMap<string, Int32Array>, atlas: string): string[] | undefined {
  const labels = [...regions.keys()].filter((name) => name.startsWith(`${atlas}:`));
  return labels.length > 0 ? labels : undefined;
}

const voxels = (count: number) => `${count} ${count === 1 ? 'voxel' : 'voxels'}`;

function usage(field: string, message: string, expected: string, found: string): F2iError {
  return new F2iError('USAGE', message, { field, expected, found });
}
