import { sha256 } from '../../bundle/hash.ts';
import type { VoxelSelection, VoxelSpace } from './study.ts';

/** Off the usual decimals and binary fractions, so that rounding noise of a header does not tip a tenth. */
const OFF_DECIMALS = 0.3137;

/**
 * SHA-256 (64 hex digits) of which voxels the columns are, whatever the files are called: of the UTF-8 text
 *
 * ```
 * fmri2image voxels 1
 * image 40 40 24 at -780 -1120 -500 -390 -1120 -500 -780 -730 -500 -780 -1120 -270
 * 17,18,19,58
 * ```
 *
 * with a line feed after each line. An image is named by its grid and the positions of four corners (voxels 0 0 0, then
 * the last in x, y and z) in tenths of a millimetre, each floor(10 mm + 0.8137); a matrix by `matrix` and its number of
 * columns. The last line lists the indices in order. Of a table the second line is `table`, the last its columns' names
 * as a JSON list.
 *
 * Two studies with equal checksums have the same voxels in the same order, as far as their files can tell: of matrices
 * that is the number of columns alone.
 *
 * @returns undefined for a selection that does not state its space
 */
export async function selectionChecksum({ indices, space }: VoxelSelection): Promise<string | undefined> {
  if (!space) return undefined;
  const voxels = space.kind === 'table' ? JSON.stringify(space.names) : Array.from(indices).join(',');
  const text = `fmri2image voxels 1\n${nameOf(space)}\n${voxels}\n`;
  return sha256(new TextEncoder().encode(text));
}

function nameOf(space: VoxelSpace): string {
  if (space.kind === 'table') return 'table';
  if (space.kind === 'matrix') return `matrix ${space.columns}`;
  const { grid, affine } = space;
  const corners = [0, 1, 2, 3].flatMap((corner) =>
    affine.slice(0, 3).map((row) => {
      const along = corner === 0 ? 0 : row[corner - 1]! * (grid[corner - 1]! - 1);
      return Math.floor(10 * (row[3]! + along) + 0.5 + OFF_DECIMALS);
    }),
  );
  return `image ${grid.join(' ')} at ${corners.join(' ')}`;
}

/** Some of the selected voxels, in the order given. */
export function takeVoxels(
  { description, indices, space }: VoxelSelection,
  kept: Int32Array,
): VoxelSelection {
  const names = (from: readonly string[]) => Array.from(kept, (voxel) => from[voxel]!);
  return {
    description,
    indices: kept.map((voxel) => indices[voxel]!),
    space: space?.kind === 'table' ? { kind: 'table', names: names(space.names) } : space,
  };
}
