import { score, short } from '../report/format.ts';
import { type Html, html } from '../report/html.ts';
import { renderPage } from '../report/page.ts';
import { facts, plot, table } from '../report/parts.ts';
import type { Figure } from '../report/plot.ts';
import type { Section } from '../report/section.ts';
import type { MadeMap, MadeMaps } from './made.ts';
import { limitOf } from './mosaic.ts';
import { regionFigure } from './regionFigures.ts';
import { regionSummary, valuesFile } from './write.ts';

interface Page extends MadeMaps {
  readonly figures: ReadonlyMap<string, Figure>;
}

/** The page of a folder of maps. */
export function renderMaps(made: MadeMaps, figures: ReadonlyMap<string, Figure>): string {
  const data: Page = { ...made, figures };
  const title =
    made.study.pseudonym === undefined ? made.study.name : `${made.study.name}, ${made.study.pseudonym}`;
  const sections = [notes, ...made.maps.map(mapSection), decoded, about];
  return renderPage(data, title, 'maps of voxels', sections, { roomy: true });
}

const notes: Section<Page> = {
  id: 'notes',
  title: 'Please note',
  short: 'Notes',
  applies: ({ notes }) => notes.length > 0,
  body: ({ notes }) => html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`,
};

const mapSection = (map: MadeMap): Section<Page> => ({
  id: map.name,
  title: map.title,
  short: map.title,
  body: (data) => mapBody(map, data),
});

/** One map: drawn, explained, and in numbers. */
export function mapBody(map: MadeMap, { figures, regions }: Pick<Page, 'figures' | 'regions'>): Html {
  const figure = figures.get(map.name);
  const histogram = figures.get(`${map.name}-histogram`);
  const caption = html`Slices from left to right, from back to front and from bottom to top; left is on the left (neurological convention), millimetres are those of the image. Voxels outside the selection are transparent. ${coloursInWords(map)}`;
  return html`<div class="map"><div class="words"><p>One value a voxel: ${map.description}. Unit: ${map.units}.</p>
${map.caution && html`<p><strong>${map.caution}</strong></p>`}
${map.notes.map((note) => html`<p>${note}.</p>`)}</div>
<div class="slices">${figure ? html`<figure><div class="scroll" role="region" aria-label="${map.title}, slices" tabindex="0">${figure.inline}</div><figcaption>${caption}</figcaption></figure>` : html`<p>The voxels come from no image: nothing can be drawn.</p>`}</div>
<div class="numbers">${histogram && html`<figure>${histogram.inline}<figcaption>How many voxels have which value.</figcaption></figure>`}
${valuesTable(map, regions)}</div></div>`;
}

/** What the colour bar says, in words. */
function coloursInWords(map: MadeMap): string {
  const neutral = map.scale === 'diverging' ? 'The neutral colour is 0; ' : '';
  const limit = short(limitOf(map));
  const why =
    map.sharesColours === undefined
      ? 'the 99th percentile of the sizes'
      : `the same for ${map.sharesColours}, so that they compare`;
  const text = `${neutral}colours end at a size of ${limit} (${why}), and larger values have the last colour.`;
  return `${text[0]!.toUpperCase()}${text.slice(1)}`;
}

/** Longer tables open on request. */
const MOST_ROWS = 8;

function valuesTable(map: MadeMap, regions: MadeMaps['regions']): Html {
  const all = Int32Array.from(map.columns ?? map.values.keys());
  const isSigned = map.values.some((value) => value < 0);
  const rows = [['all selected voxels', all] as const, ...regions].flatMap(([name, columns]) => {
    const found = regionSummary(map, columns);
    if (!found) return [];
    // Of values without a sign the mean size is the mean.
    const numbers = [found.mean, ...(isSigned ? [found.meanSize] : []), found.largest].map(short);
    return [{ cells: [name, found.voxels, ...numbers] }];
  });
  const columns = ['region', 'voxels', 'mean', ...(isSigned ? ['mean size', 'largest size'] : ['largest'])];
  const whole = table(
    `${map.title} by region (${map.units})`,
    columns.map((title, i) => ({ title, number: i > 0 })),
    rows,
  );
  return rows.length > MOST_ROWS
    ? html`<details><summary>Values in ${rows.length - 1} regions</summary>${whole}</details>`
    : whole;
}

const decoded: Section<Page> = {
  id: 'regions',
  title: 'Decoding from regions, and without them',
  short: 'Regions',
  applies: (data) => data.decoded !== undefined,
  body: ({ decoded, figures }) => decodedBody(decoded!, figures),
};

/** What regions reach alone, and what is lost without them: drawn, and in numbers. */
export function decodedBody(
  { scores, heldOut, trials, notes }: NonNullable<MadeMaps['decoded']>,
  figures: Page['figures'],
): Html {
  const bodies = scores.map(({ name, words, all, chance, regions }) => {
    const rows = regions.map(({ region, voxels, alone, without, unique, shared }) => ({
      cells: [region, voxels, ...[alone, without, unique, shared].map((value) => score(value))],
    }));
    const columns = ['region', 'voxels', 'alone', 'left out', 'unique', 'shared'];
    const numbers = table(
      `${words}: ${score(all)} with all voxels, chance ${score(chance)}`,
      columns.map((title, i) => ({ title, number: i > 0 })),
      rows,
    );
    return html`${plot({ figures }, regionFigure(name), 'A region tells much where its dot (alone) lies far from chance, and what no other tells where its diamond (left out) lies far from all voxels.')}${numbers}`;
  });
  return html`<p>Ridge decoders that have one region alone, and decoders that have all voxels but its own, each fitted anew; held out: ${heldOut}, ${trials} trials. Unique is what is lost when the region is left out; shared is what the region tells above chance that other voxels tell as well. A region that shares everything may be left out without loss and still carry much.</p>
${notes.map((note) => html`<p>${note}.</p>`)}
${bodies}`;
}

const about: Section<Page> = {
  id: 'about',
  title: 'How this was made',
  short: 'Provenance',
  body: ({ study, selection, maps, reported }) => html`${facts([
    ['study', study.name],
    ['terms of the data', study.dataTerms ?? 'not stated'],
    ['voxels', selection.description],
    ['bundle', reported.bundle],
    ['files', maps.map(({ name }) => valuesFile({ study, selection }, name)).join(', ')],
    ['command', html`<code>${reported.commandLine}</code>`],
    ['device', reported.device],
    ['version', reported.version],
  ])}
<p class="muted">${sources(maps).join(' ')}</p>`,
};

/** What is on the page, and where it comes from. */
function sources(maps: readonly MadeMap[]): string[] {
  const has = (...names: string[]) => maps.some(({ name }) => names.includes(name));
  return [
    ...(maps.length > 0 ? ['Colours are equal steps of perceived lightness.'] : []),
    ...(has('weights', 'pattern') ? ['Weights, patterns: Haufe et al. 2014, NeuroImage 87:96.'] : []),
    ...(has('ncsnr') ? ['Noise ceiling: Allen et al. 2022, Nature Neuroscience 25:116.'] : []),
  ];
}
