import { F2iError, openNifti, parseJson, readText, type Study, schemaError } from '@fmri2image/core';
import { nodeFolder } from '@fmri2image/node';
import { z } from 'zod';
import { usage } from '../options.ts';
import type { Figure } from '../report/plot.ts';
import type { DecodedRegions } from './decodeRegions.ts';
import type { MadeMap } from './made.ts';
import { drawMosaic } from './mosaic.ts';
import { drawRegions } from './regionFigures.ts';

/** Maps of an earlier run, for a report. */
export interface ReadMaps {
  readonly maps: readonly MadeMap[];
  readonly decoded: DecodedRegions | undefined;
  readonly figures: ReadonlyMap<string, Figure>;
  /** Of the decoder that they are of, or `none`. */
  readonly bundle: string;
}

const contribution = z
  .object({
    region: z.string(),
    voxels: z.int(),
    alone: z.number(),
    without: z.number().optional(),
    unique: z.number().optional(),
    shared: z.number().optional(),
  })
  .transform(({ without, unique, shared, ...known }) => ({ ...known, without, unique, shared }));
const schema = z.object({
  format: z.literal('fmri2image-maps'),
  version: z.literal(1),
  study: z.string(),
  maps: z.array(
    z.object({
      name: z.string(),
      file: z.string(),
      title: z.string(),
      units: z.string(),
      description: z.string(),
      caution: z.string().optional(),
      notes: z.array(z.string()),
      scale: z.enum(['sequential', 'diverging']),
      colourLimit: z.number().positive(),
      sharesColours: z.string().optional(),
    }),
  ),
  decodedRegions: z
    .object({
      scores: z.array(
        z.object({
          name: z.enum(['accuracy', 'twoWay', 'frameCorrelation']),
          words: z.string(),
          chance: z.number(),
          all: z.number(),
          regions: z.array(contribution),
        }),
      ),
      heldOut: z.string(),
      trials: z.int(),
      notes: z.array(z.string()),
    })
    .optional(),
  report: z.object({ bundle: z.string() }),
});

/**
 * Reads a folder that `fmri2image maps` wrote, back at the voxels of a study.
 *
 * @throws USAGE for maps of another study; FORMAT for files that are not what they were
 */
export async function readMaps(path: string, study: Study, signal: AbortSignal): Promise<ReadMaps> {
  const folder = await nodeFolder(path);
  const source = await folder.open('maps.json');
  const json = parseJson(await readText(source, signal), source.name);
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw schemaError(json, parsed.error.issues, schema, source.name);
  const { maps, decodedRegions, report } = parsed.data;
  if (parsed.data.study !== study.name) {
    throw usage(`the maps of ${path} are of ${parsed.data.study}, not of ${study.name}`);
  }
  const { space, indices } = study.selection;
  const read: MadeMap[] = [];
  const figures = new Map<string, Figure>();
  for (const { file, ...map } of maps) {
    if (space?.kind !== 'image' || !file.endsWith('.nii.gz')) continue;
    const image = await openNifti(await folder.open(file), signal);
    if (image.header.space.join() !== space.grid.join()) {
      throw new F2iError('FORMAT', 'a map on another grid than the study', {
        file: `${path}/${file}`,
        expected: space.grid.join(' x '),
        found: image.header.space.join(' x '),
      });
    }
    const volume = (await image.readVolume(0, signal)) as Float32Array;
    const columns = Int32Array.from([...indices.keys()].filter((i) => !Number.isNaN(volume[indices[i]!]!)));
    const values = Float32Array.from(columns, (column) => volume[indices[column]!]!);
    const made = { ...map, values, columns };
    read.push(made);
    const drawn = { ...study.selection, indices: columns.map((column) => indices[column]!) };
    figures.set(map.name, drawMosaic({ ...made, name: `map-${map.name}` }, drawn));
  }
  if (decodedRegions)
    for (const [name, figure] of await drawRegions(decodedRegions)) figures.set(name, figure);
  return { maps: read, decoded: decodedRegions, figures, bundle: report.bundle };
}
