import type { VoxelMap, VoxelSelection } from '@fmri2image/core';
import type { Provenance } from '../pipeline/results.ts';
import type { Scale } from './colours.ts';
import type { DecodedRegions } from './decodeRegions.ts';

/** A map of voxels with everything that is said of it. */
export interface MadeMap extends Pick<VoxelMap, 'values' | 'units' | 'description' | 'notes'> {
  /** BIDS label of the file: `weights`, `pattern`, `ncsnr`, `noiseceiling`. */
  readonly name: string;
  readonly title: string;
  readonly scale: Scale;
  /** Size of the value at which colours end, of maps that are read side by side; otherwise what the values call for. */
  readonly colourLimit?: number | undefined;
  /** Whose colours these are, where several maps share them: `the weights and both limits`. */
  readonly sharesColours?: string | undefined;
  /** How it must be read, where that is easily got wrong. */
  readonly caution?: string | undefined;
  /** Columns of the responses that the values are of; all when absent. */
  readonly columns: Int32Array | undefined;
  /** More for the sidecar: counts, settings. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** Everything that `maps` found. */
export interface MadeMaps {
  readonly study: {
    readonly name: string;
    readonly pseudonym?: string | undefined;
    readonly dataTerms?: string | undefined;
  };
  readonly selection: VoxelSelection;
  readonly maps: readonly MadeMap[];
  /** Regions that maps are summed up over. */
  readonly regions: ReadonlyMap<string, Int32Array>;
  readonly decoded: DecodedRegions | undefined;
  readonly notes: readonly string[];
  readonly reported: Provenance;
}

/** The sentence that belongs beside every map of weights. */
export const WEIGHTS_CAUTION =
  'Weights are not activation: a voxel without any signal can have a large weight because it cancels noise of others (Haufe et al. 2014). The pattern shows activation.';

/** Voxels of a map: all of the responses, or those of its columns. */
export function selectionOf(
  { selection }: Pick<MadeMaps, 'selection'>,
  { columns }: Pick<MadeMap, 'columns'>,
): VoxelSelection {
  if (!columns) return selection;
  return { ...selection, indices: columns.map((column) => selection.indices[column]!) };
}

/** Values of a map at some columns of the responses; those that it does not have are left out. */
export function valuesAt(
  { values, columns }: Pick<MadeMap, 'values' | 'columns'>,
  wanted: Int32Array,
): number[] {
  if (!columns) return Array.from(wanted, (column) => values[column]!);
  const at = new Map(Array.from(columns, (column, i) => [column, i]));
  return Array.from(wanted).flatMap((column) => {
    const place = at.get(column);
    return place === undefined ? [] : [values[place]!];
  });
}
