/** A simulated brain on a grid: which voxels respond, and the areas that they belong to. */
export interface Anatomy {
  readonly grid: readonly [number, number, number];
  readonly affine: readonly (readonly number[])[];
  /** Voxels of the grid (x fastest), ascending: those that respond. */
  readonly responding: Int32Array;
  /** Further voxels of the brain, ascending: they hold noise. */
  readonly other: Int32Array;
  /** Labels of NSD's atlases: -1 outside the brain, 0 where an area has no name. */
  readonly atlases: Readonly<
    Record<string, { readonly labels: Int16Array; readonly names: readonly string[] }>
  >;
}

/** Of NSD's standard resolution. */
const MILLIMETRES = 1.8;
/** Voxels of the brain for each one that responds. */
const BRAIN = 1.5;
const ROOM = 3;

/** Labels by number, as in `streams.mgz.ctab` and `prf-visualrois.mgz.ctab`. */
const STREAMS = ['early', 'midventral', 'midlateral', 'midparietal', 'ventral', 'lateral', 'parietal'];
const VISUAL_ROIS = ['V1v', 'V1d', 'V2v', 'V2d', 'V3v', 'V3d', 'hV4'];
/** Part of the responding voxels that is `early`; the other streams share the rest. */
const EARLY = 0.4;

/** Extents that differ from each other, so that mixed-up axes show. */
export function gridFor(voxels: number): [number, number, number] {
  const side = Math.max(3, Math.ceil(Math.cbrt(ROOM * voxels)));
  return [side, side + 2, side + 1];
}

/** Responding voxels in the middle, other brain around them; areas from the back (small y) to the front. */
export function drawAnatomy(voxels: number, grid: readonly [number, number, number]): Anatomy {
  const [nx, ny, nz] = grid;
  const size = nx * ny * nz;
  const at = (voxel: number) =>
    [voxel % nx, Math.floor(voxel / nx) % ny, Math.floor(voxel / (nx * ny))] as const;
  const distance = Float64Array.from({ length: size }, (_, voxel) => {
    const [x, y, z] = at(voxel);
    return ((x + 0.5) / nx - 0.5) ** 2 + ((y + 0.5) / ny - 0.5) ** 2 + ((z + 0.5) / nz - 0.5) ** 2;
  });
  const nearest = Int32Array.from({ length: size }, (_, voxel) => voxel).sort(
    (a, b) => distance[a]! - distance[b]! || a - b,
  );
  const brain = Math.min(size, Math.ceil(BRAIN * voxels));
  const responding = nearest.slice(0, voxels).sort();
  const other = nearest.slice(voxels, brain).sort();
  const blank = () => {
    const labels = new Int16Array(size).fill(-1);
    for (const voxel of [...responding, ...other]) labels[voxel] = 0;
    return labels;
  };
  const whole = blank();
  for (const voxel of responding) whole[voxel] = 1;
  const fromBack = [...responding].sort((a, b) => at(a)[1] - at(b)[1] || a - b);
  const early = fromBack.slice(0, Math.max(1, Math.round(EARLY * voxels)));
  const streams = blank();
  for (const voxel of early) streams[voxel] = 1;
  divide(fromBack.slice(early.length), STREAMS.length - 1, (voxel, part) => {
    streams[voxel] = part + 2;
  });
  const visual = blank();
  divide(
    [...early].sort((a, b) => at(a)[0] - at(b)[0] || a - b),
    VISUAL_ROIS.length,
    (voxel, part) => {
      visual[voxel] = part + 1;
    },
  );
  return {
    grid,
    affine: [
      [MILLIMETRES, 0, 0, (-MILLIMETRES * nx) / 2],
      [0, MILLIMETRES, 0, (-MILLIMETRES * ny) / 2],
      [0, 0, MILLIMETRES, (-MILLIMETRES * nz) / 2],
    ],
    responding,
    other,
    atlases: {
      nsdgeneral: { labels: whole, names: ['nsdgeneral'] },
      streams: { labels: streams, names: STREAMS },
      'prf-visualrois': { labels: visual, names: VISUAL_ROIS },
    },
  };
}

function divide(voxels: readonly number[], parts: number, put: (voxel: number, part: number) => void): void {
  for (const [i, voxel] of voxels.entries()) put(voxel, Math.floor((i * parts) / voxels.length));
}
