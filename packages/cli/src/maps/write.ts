import { encodeNpy, niftiOfVoxels, type Study, VERSION, type WriteFile } from '@fmri2image/core';
import { datasetDescription, subjectEntity } from '../bids.ts';
import { redactHome } from '../redact.ts';
import type { Figure } from '../report/plot.ts';
import { type MadeMap, type MadeMaps, selectionOf, valuesAt } from './made.ts';
import { limitOf } from './mosaic.ts';
import { renderMaps } from './page.ts';

/** Names of the files of a map, in the folder of the maps. */
export function mapFiles(study: MadeMaps['study'], name: string) {
  const subject = subjectEntity(study.pseudonym);
  const stem = `${subject ? `${subject}/${subject}_` : ''}desc-${name}_statmap`;
  return { image: `${stem}.nii.gz`, matrix: `${stem}.npy`, sidecar: `${stem}.json` };
}

/** The file of a map's values: an image, or a matrix where the voxels come from no image. */
export const valuesFile = ({ study, selection }: Pick<MadeMaps, 'study' | 'selection'>, name: string) =>
  mapFiles(study, name)[isImage({ selection }) ? 'image' : 'matrix'];

const isImage = ({ selection }: Pick<MadeMaps, 'selection'>) => selection.space?.kind === 'image';

/** Writes the folder: images with sidecars, tables, figures and one page. A BIDS derivative. */
export async function writeMaps(
  made: MadeMaps,
  figures: ReadonlyMap<string, Figure>,
  write: WriteFile,
  signal: AbortSignal,
): Promise<void> {
  for (const map of made.maps) {
    const files = mapFiles(made.study, map.name);
    if (isImage(made)) {
      const image = niftiOfVoxels([map.values], 1, selectionOf(made, map), {
        outside: Number.NaN,
        // 1001: estimates of a parameter.
        intentCode: 1001,
        intentName: map.name,
        description: map.title,
        signal,
      });
      await write(files.image, image);
    } else {
      await write(files.matrix, encodeNpy({ dtype: 'f32', data: map.values, shape: [map.values.length] }));
    }
    await write(files.sidecar, json(sidecar(made, map)));
  }
  if (made.regions.size > 0) await write('regions.tsv', regionsTable(made));
  if (made.decoded) await write('decoded-regions.tsv', decodedTable(made.decoded));
  for (const { name, svg } of figures.values()) await write(`figures/${name}.svg`, svg);
  await write('maps.html', renderMaps(made, figures));
  await write('dataset_description.json', json(datasetDescription(made.study as Study, 'Maps of voxels')));
  await write('README', redactHome(readme(made)));
  await write('maps.json', json(summaryOf(made)));
}

function sidecar(made: MadeMaps, map: MadeMap) {
  return {
    Description: `${map.title}: ${map.description}`,
    Units: map.units,
    ...(map.caution && { Caution: map.caution }),
    ...(map.notes.length > 0 && { Notes: map.notes }),
    Voxels: map.values.length,
    VoxelSelection: made.selection.description,
    Outside: 'NaN: voxels that were not selected',
    Study: made.study.name,
    Bundle: made.reported.bundle,
    GeneratedBy: { Name: 'fmri2image', Version: VERSION, CommandLine: made.reported.commandLine },
    ...map.details,
  };
}

/** For programs, and for `report --maps`. */
function summaryOf(made: MadeMaps) {
  return {
    format: 'fmri2image-maps',
    version: 1,
    study: made.study.name,
    page: 'maps.html',
    maps: made.maps.map((map) => ({
      name: map.name,
      file: valuesFile(made, map.name),
      title: map.title,
      units: map.units,
      description: map.description,
      ...(map.caution && { caution: map.caution }),
      notes: map.notes,
      scale: map.scale,
      voxels: map.values.length,
      colourLimit: limitOf(map),
      ...(map.sharesColours !== undefined && { sharesColours: map.sharesColours }),
      ...(map.details && { details: map.details }),
    })),
    regions: [...made.regions].map(([name, columns]) => ({ name, voxels: columns.length })),
    ...(made.decoded && { decodedRegions: made.decoded }),
    notes: made.notes,
    report: made.reported,
  };
}

/** What a map comes to in a region. */
export function regionSummary(map: MadeMap, columns: Int32Array) {
  const values = valuesAt(map, columns).filter(Number.isFinite);
  const sizes = values.map(Math.abs);
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
  return values.length === 0
    ? undefined
    : {
        voxels: values.length,
        mean: mean(values),
        meanSize: mean(sizes),
        largest: sizes.reduce((a, b) => Math.max(a, b)),
      };
}

function regionsTable(made: MadeMaps): string {
  const lines = [['region', 'map', 'voxels', 'mean', 'mean_size', 'largest_size']];
  for (const [region, columns] of made.regions) {
    for (const map of made.maps) {
      const found = regionSummary(map, columns);
      const cells = found
        ? [found.voxels, ...[found.mean, found.meanSize, found.largest].map((value) => value.toPrecision(6))]
        : [0, 'n/a', 'n/a', 'n/a'];
      lines.push([cell(region), map.name, ...cells.map(String)]);
    }
  }
  return table(lines);
}

function decodedTable({ scores }: NonNullable<MadeMaps['decoded']>): string {
  const lines = [
    ['score', 'region', 'voxels', 'alone', 'without', 'unique', 'shared', 'all_voxels', 'chance'],
  ];
  const number = (value: number | undefined) => (value === undefined ? 'n/a' : value.toFixed(6));
  for (const { name, all, chance, regions } of scores) {
    for (const { region, voxels, alone, without, unique, shared } of regions) {
      const numbers = [alone, without, unique, shared, all, chance].map(number);
      lines.push([name, cell(region), String(voxels), ...numbers]);
    }
  }
  return table(lines);
}

const cell = (text: string) => text.replace(/[\s\p{Cc}]/gu, ' ');
const table = (lines: readonly (readonly string[])[]) =>
  `${lines.map((line) => line.join('\t')).join('\n')}\n`;

function readme(made: MadeMaps): string {
  const { study, reported, maps } = made;
  const list = maps.map(({ name, title, units }) => `${valuesFile(made, name)}: ${title} (${units})\n`);
  return `Maps of the voxels of ${study.name}, written by fmri2image ${reported.version}.

maps.html: the maps drawn; open it in a browser, it is complete in itself
${list.join('')}maps.json: what they are, for programs; each image has a sidecar of its own

Terms of the data: ${study.dataTerms ?? 'not stated'}
`;
}

const json = (value: unknown) => `${redactHome(JSON.stringify(value, undefined, 2))}\n`;
