import { F2iError, type VoxelSelection } from '@fmri2image/core';

/** World axes: x from left to right, y from back to front, z from below to above (RAS, as NIfTI has it). */
export type View = 'sagittal' | 'coronal' | 'axial';

/** What a slice shows: its columns and rows are world axes, `across` is the one it cuts. */
const VIEWS: Readonly<Record<View, { across: number; columns: number; rows: number }>> = {
  sagittal: { across: 0, columns: 1, rows: 2 },
  coronal: { across: 1, columns: 0, rows: 2 },
  axial: { across: 2, columns: 0, rows: 1 },
};
export const VIEW_NAMES = Object.keys(VIEWS) as View[];

/** Voxels of an image, turned so that their axes run as the world's do, as far as whole voxels can. */
export interface TurnedVoxels {
  /** Places of each selected voxel along x, y and z, from the corner of their bounding box. */
  readonly places: readonly [Int32Array, Int32Array, Int32Array];
  /** Extents of the bounding box in voxels, and of a voxel in millimetres. */
  readonly box: readonly [number, number, number];
  readonly millimetres: readonly [number, number, number];
  /** Millimetres of a slice that cuts world axis `across` at some place of the box. */
  positionOf(across: number, place: number): number;
}

/** One slice: the places in the list of voxels that lie in it, and where. */
export interface Slice {
  readonly view: View;
  /** Millimetres along the axis that it cuts. */
  readonly position: number;
  readonly width: number;
  readonly height: number;
  /** For each voxel in it: its place in the list, and its pixel (top row first). */
  readonly pixels: readonly { readonly voxel: number; readonly column: number; readonly row: number }[];
}

/**
 * The axis of the image that runs most along each axis of the world, and whether it runs the other way.
 *
 * @throws UNSUPPORTED where the voxels come from no image
 */
export function turned({ indices, space }: Pick<VoxelSelection, 'indices' | 'space'>): TurnedVoxels {
  if (space?.kind !== 'image') {
    throw new F2iError('UNSUPPORTED', 'maps are drawn only where the voxels come from an image', {
      expected: 'voxels of a NIfTI image',
      found: space?.kind ?? 'no space',
    });
  }
  const { grid, affine } = space;
  const lengths = [0, 1, 2].map((axis) => Math.hypot(...[0, 1, 2].map((w) => affine[w]![axis]!)));
  const cosine = (world: number, axis: number) => affine[world]![axis]! / (lengths[axis]! || 1);
  const axisOf = bestAxes((world, axis) => Math.abs(cosine(world, axis)));
  const flipped = axisOf.map((axis, world) => cosine(world, axis) < 0);
  const strides = [1, grid[0], grid[0] * grid[1]];
  const along = (voxel: number, axis: number) => Math.floor(voxel / strides[axis]!) % grid[axis]!;
  const all = axisOf.map((axis, world) =>
    Int32Array.from(indices, (voxel) =>
      flipped[world] ? grid[axis]! - 1 - along(voxel, axis) : along(voxel, axis),
    ),
  );
  const low = all.map((places) => places.reduce((a, b) => Math.min(a, b), Number.MAX_SAFE_INTEGER));
  const box = all.map((places, w) => places.reduce((a, b) => Math.max(a, b), 0) - low[w]! + 1);
  const places = all.map((list, w) => list.map((place) => place - low[w]!));
  /** Of the image: index along an axis, from a place of the box. */
  const imageIndex = (world: number, place: number) => {
    const at = place + low[world]!;
    return flipped[world] ? grid[axisOf[world]!]! - 1 - at : at;
  };
  return {
    places: places as unknown as TurnedVoxels['places'],
    box: box as unknown as TurnedVoxels['box'],
    millimetres: axisOf.map((axis) => lengths[axis]!) as unknown as TurnedVoxels['millimetres'],
    positionOf(across, place) {
      let position = affine[across]![3]!;
      for (const world of [0, 1, 2]) {
        // Of tilted images: in the middle of the box.
        const at = world === across ? place : (box[world]! - 1) / 2;
        position += affine[across]![axisOf[world]!]! * imageIndex(world, at);
      }
      return position;
    },
  };
}

/** The assignment of image axes to world axes with the largest sum. */
function bestAxes(weight: (world: number, axis: number) => number): number[] {
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  const sum = (order: readonly number[]) =>
    order.reduce((total, axis, world) => total + weight(world, axis), 0);
  return orders.reduce((best, order) => (sum(order) > sum(best) + 1e-9 ? order : best));
}

/** At most `count` slices of a view, where the voxels are: at evenly spaced quantiles of their places. */
export function slicesOf(voxels: TurnedVoxels, view: View, count: number): Slice[] {
  const { across, columns, rows } = VIEWS[view];
  const along = voxels.places[across]!;
  const sorted = along.slice().sort();
  const places = new Set(
    Array.from({ length: count }, (_, i) => sorted[Math.floor(((i + 0.5) / count) * sorted.length)]!),
  );
  return [...places]
    .sort((a, b) => a - b)
    .map((place) => ({
      view,
      position: voxels.positionOf(across, place),
      width: voxels.box[columns]!,
      height: voxels.box[rows]!,
      pixels: Array.from(along.keys())
        .filter((voxel) => along[voxel] === place)
        .map((voxel) => ({
          voxel,
          column: voxels.places[columns]![voxel]!,
          // Up is at the top.
          row: voxels.box[rows]! - 1 - voxels.places[rows]![voxel]!,
        })),
    }));
}

/** Millimetres of a pixel of a view: [width, height]. */
export function pixelSize({ millimetres }: TurnedVoxels, view: View): [number, number] {
  const { columns, rows } = VIEWS[view];
  return [millimetres[columns]!, millimetres[rows]!];
}

/** What is at the left and right edge of a view. */
export const EDGES: Readonly<Record<View, readonly [left: string, right: string]>> = {
  sagittal: ['back', 'front'],
  coronal: ['L', 'R'],
  axial: ['L', 'R'],
};
export const AXIS_NAMES: Readonly<Record<View, string>> = { sagittal: 'x', coronal: 'y', axial: 'z' };
