import type { ReceptiveFields } from '@fmri2image/core';
import { isRetinotopic, type ReportData } from '../data.ts';
import { MOST_CIRCLES } from '../figures/fields.ts';
import { counted, median, short } from '../format.ts';
import { type Html, html } from '../html.ts';
import { plot, table } from '../parts.ts';
import type { Section } from '../section.ts';

/** Where the voxels look, of a retinotopic decoder. */
export const fieldsSection: Section = {
  id: 'fields',
  title: 'Receptive fields',
  short: 'Receptive fields',
  applies: isRetinotopic,
  body: (data) => {
    const { folds } = data;
    const whose = folds.length > 1 ? ` The maps are of the first fold (${folds[0]!.heldOut} held out).` : '';
    return html`<p>The decoder inverts a model of what each voxel responds to: a spot of the visual field, fitted to the training data alone.${whose}</p>
<div class="plots">
${plot(data, 'receptive-fields', `Centres (dots) and sizes (circles of one standard deviation) in the visual field; the frame is the edge of the pictures. ${drawn(folds.find(({ maps }) => maps)?.maps?.fields)}`)}
${plot(data, 'size-eccentricity', `Size (one standard deviation) against eccentricity; the line joins the medians of ten equal groups.${unresolved(folds[0]?.maps?.fields)}`)}
${plot(data, 'fit', 'How well the selected voxels are predicted in the training data.')}
${plot(data, 'hrf', `The haemodynamic response that the model uses${folds.length > 1 ? ', a line for each fold; marked is the highest peak' : ''}.`)}
</div>
${foldTable(data)}`;
  },
};

/** How many of the fields the map shows, and which lie beyond its frame. */
function drawn(fields: ReceptiveFields | undefined): string {
  if (!fields) return '';
  const { left, right, top, bottom } = fields.extent;
  const [low, high] = [Math.min(top, bottom), Math.max(top, bottom)];
  const count = fields.x.length;
  const outside = fields.x.reduce((sum, x, i) => {
    const y = fields.y[i]!;
    return sum + (x < left || x > right || y < low || y > high ? 1 : 0);
  }, 0);
  const shown =
    count > MOST_CIRCLES ? `Drawn are the ${MOST_CIRCLES} best fitted of ${count}` : `Drawn are all ${count}`;
  const where =
    outside === 0
      ? 'all centres lie inside the pictures'
      : `${outside} of the ${counted(count, 'centre')} ${outside === 1 ? 'lies' : 'lie'} outside the pictures, where nothing is drawn`;
  return `${shown}; ${where}.`;
}

/** Fields that are as small as the fit allows: how small they are, the pictures cannot tell. */
function unresolved(fields: ReceptiveFields | undefined): string {
  if (!fields || fields.size.length === 0) return '';
  const smallest = fields.size.reduce((least, size) => Math.min(least, size));
  const count = fields.size.reduce((sum, size) => sum + (size <= smallest * 1.001 ? 1 : 0), 0);
  if (count < 3) return '';
  return ` ${count} fields lie at ${short(smallest)} ${fields.unit}, the smallest size that is tried: they are finer than the pixels of these pictures can tell.`;
}

function foldTable({ folds }: ReportData): Html {
  const rows = folds.flatMap(({ heldOut, maps }) => {
    if (!maps) return [];
    const { fields, hrf } = maps;
    const peak = hrf.values.indexOf(Math.max(...hrf.values));
    const cells = [
      heldOut ?? 'the decoder',
      fields.voxel.length,
      short(median(fields.size)),
      short(median(fields.correlation)),
      short(hrf.times[peak] ?? 0),
    ];
    return [{ cells }];
  });
  const { unit } = folds.find(({ maps }) => maps)!.maps!.fields;
  const columns = [
    { title: folds.length > 1 ? 'held out' : 'fitted to' },
    { title: 'voxels', number: true },
    { title: `median size (${unit})`, number: true },
    { title: 'median fit (r)', number: true },
    { title: 'response peaks at (s)', number: true },
  ];
  return table('Fitted models', columns, rows);
}
