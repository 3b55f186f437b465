import { isRetinotopic, type ReportData } from '../data.ts';
import { median, short } from '../format.ts';
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
${plot(data, 'receptive-fields', 'Centres (dots) and sizes (circles of one standard deviation) in the visual field; the frame is the edge of the pictures.')}
${plot(data, 'size-eccentricity', 'Size (one standard deviation) against eccentricity; the line joins the medians of ten equal groups.')}
${plot(data, 'fit', 'How well the selected voxels are predicted in the training data.')}
${plot(data, 'hrf', 'The haemodynamic response that the model uses.')}
</div>
${foldTable(data)}`;
  },
};

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
