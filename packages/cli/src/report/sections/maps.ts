import { decodedBody, mapBody } from '../../maps/page.ts';
import type { ReportCommon } from '../data.ts';
import { html } from '../html.ts';
import type { Section } from '../section.ts';

/** Where in the brain, of maps that were made before. */
export const mapsSection: Section<Pick<ReportCommon, 'reported' | 'maps' | 'results'>> = {
  id: 'maps',
  title: 'Maps of voxels',
  short: 'Maps',
  applies: ({ maps }) => maps !== undefined,
  body: ({ maps, results }) => {
    const { figures, decoded, bundle } = maps!;
    const other =
      bundle !== 'none' && bundle !== results.provenance.bundle
        ? html`<p>The maps are of a decoder of their own (bundle ${bundle.slice(0, 12)}), not of ${results.provenance.bundle === 'none' ? 'those that were fitted for each group that was held out' : 'the one that made these reconstructions'}.</p>`
        : undefined;
    return html`${other}
${maps!.maps.map((map) => html`<h3>${map.title}</h3>${mapBody(map, { figures, regions: new Map() })}`)}
${decoded && html`<h3>Decoding from regions, and without them</h3>${decodedBody(decoded, figures)}`}`;
  },
};
