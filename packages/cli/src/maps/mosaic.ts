import { encodePng, type VoxelSelection } from '@fmri2image/core';
import { listed, minus, short } from '../report/format.ts';
import { Html, html } from '../report/html.ts';
import type { Figure } from '../report/plot.ts';
import { COLOUR, FONT } from '../report/theme.ts';
import { colourOf, hex, type Mode, type Scale } from './colours.ts';
import {
  AXIS_NAMES,
  EDGES,
  pixelSize,
  type Slice,
  slicesOf,
  turned,
  VIEW_NAMES,
  type View,
} from './slices.ts';

/** A map to be drawn. */
export interface DrawnMap {
  /** Of the file: `weights`. */
  readonly name: string;
  readonly title: string;
  readonly units: string;
  /** [voxels] */
  readonly values: Float32Array;
  readonly scale: Scale;
  /** Size of the value at which colours end; {@link colourLimit} of the values when absent. */
  readonly colourLimit?: number | undefined;
}

const SLICES = 7;
const WIDTH = 900;
const GAP = 8;
const LEFT = 74;
const LABEL = 16;
/** Above each row: what is at the edges of its slices. */
const EDGE = 13;
/** Pixels of a millimetre, at most: small regions are not blown up beyond recognition. */
const MOST_SCALE = 5;

/**
 * Slices in three orientations (of a slab, in one) with a colour bar. Voxels that were not selected are transparent, whatever the page. Colours
 * end at the 99th percentile of the sizes, so that single voxels do not make all others pale.
 */
export function drawMosaic(map: DrawnMap, selection: VoxelSelection): Figure {
  const voxels = turned(selection);
  const limit = limitOf(map);
  const views = VIEW_NAMES.map((view) => {
    const slices = slicesOf(voxels, view, SLICES);
    const [x, y] = pixelSize(voxels, view);
    return { view, slices, x, y };
  });
  // Of a slab, views from the side are lines: they show nothing.
  const thick = views.filter(({ slices }) => slices[0]!.width > 2 && slices[0]!.height > 2);
  const rows = thick.length > 0 ? thick : views;
  // One scale for all: millimetres are as long in each view.
  const widest = Math.max(...rows.map(({ slices, x }) => slices.length * slices[0]!.width * x));
  const gaps = (SLICES - 1) * GAP;
  const scale = Math.min(MOST_SCALE, (WIDTH - LEFT - gaps) / widest);
  const parts: Part[] = [];
  let top = EDGE;
  for (const { view, slices, x, y } of rows) {
    const [width, height] = [slices[0]!.width * x * scale, slices[0]!.height * y * scale];
    parts.push(rowLabel(view, top, height));
    for (const [i, slice] of slices.entries()) {
      const left = LEFT + i * (width + GAP);
      const at = `${AXIS_NAMES[view]} = ${minus(slice.position.toFixed(0))} mm`;
      parts.push(picture(slice, map, limit, { left, top, width, height }));
      parts.push(text(at, left + width / 2, top + height + 12, { anchor: 'middle', size: 10.5 }));
      if (i === 0) {
        const [from, to] = EDGES[view];
        parts.push(text(from, left, top - 3, { size: 9 }));
        parts.push(text(to, left + width, top - 3, { anchor: 'end', size: 9 }));
      }
    }
    top += height + LABEL + EDGE;
  }
  parts.push(...colourBar(map, limit, top + 4));
  const total = Math.ceil(top + 56);
  const description = describe(map, limit, rows);
  const whole = (modes: readonly Mode[]) =>
    html`<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${description}" width="${WIDTH}" height="${total}" viewBox="0 0 ${WIDTH} ${total}" font-family="${FONT}">${modes.length === 1 && html`<rect width="${WIDTH}" height="${total}" fill="white"/>`}${parts.map((part) => shown(part, modes))}</svg>`;
  return {
    name: map.name,
    description,
    svg: `<?xml version="1.0" encoding="UTF-8"?>\n${whole(['light']).text}\n`,
    inline: whole(['light', 'dark']),
  };
}

/** Size of the value at which the colours of a map end. */
export const limitOf = ({ values, colourLimit: given }: Pick<DrawnMap, 'values' | 'colourLimit'>) =>
  given ?? colourLimit(values);

/** 99th percentile of the sizes of values that are not 0; 1 where there are none. */
export function colourLimit(values: ArrayLike<number>): number {
  const sizes = Array.from(values, Math.abs)
    .filter((size) => size > 0 && Number.isFinite(size))
    .sort((a, b) => a - b);
  return sizes[Math.floor(0.99 * (sizes.length - 1))] ?? 1;
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A part of the drawing; what differs between the modes is drawn for each, and a page shows one of them. */
type Part = Html | Readonly<Record<Mode, Html>>;

const inModes = (draw: (mode: Mode) => Html): Part => ({ light: draw('light'), dark: draw('dark') });

function shown(part: Part, modes: readonly Mode[]): Html {
  if (part instanceof Html) return part;
  if (modes.length === 1) return part[modes[0]!];
  return html`${modes.map((mode) => html`<g class="${mode}">${part[mode]}</g>`)}`;
}

function picture(slice: Slice, { values, scale }: DrawnMap, limit: number, box: Box): Part {
  return inModes((mode) => {
    const data = new Float32Array(slice.width * slice.height * 4);
    for (const { voxel, column, row } of slice.pixels) {
      const value = values[voxel]!;
      if (Number.isNaN(value)) continue;
      data.set([...colourOf(value / limit, scale, mode), 1], 4 * (row * slice.width + column));
    }
    const png = encodePng({ width: slice.width, height: slice.height, channels: 4, data });
    const uri = `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
    return html`<image x="${n(box.left)}" y="${n(box.top)}" width="${n(box.width)}" height="${n(box.height)}" preserveAspectRatio="none" image-rendering="pixelated" href="${uri}"/>`;
  });
}

function rowLabel(view: View, top: number, height: number): Html {
  return text(view, 0, top + height / 2 + 4, { size: 12, colour: COLOUR.ink });
}

function text(
  content: string,
  x: number,
  y: number,
  { anchor = 'start', size, colour = COLOUR.muted }: { anchor?: string; size: number; colour?: string },
): Html {
  return html`<text x="${n(x)}" y="${n(y)}" font-size="${size}" text-anchor="${anchor}" fill="${colour}">${content}</text>`;
}

const BAR = { width: 260, height: 12, steps: 52 } as const;

function colourBar({ scale, units }: DrawnMap, limit: number, top: number): Part[] {
  const from = scale === 'diverging' ? -1 : 0;
  const width = BAR.width / BAR.steps;
  const bar = inModes(
    (mode) =>
      new Html(
        Array.from({ length: BAR.steps }, (_, i) => {
          const value = from + ((1 - from) * (i + 0.5)) / BAR.steps;
          const colour = hex(colourOf(value, scale, mode));
          // A hair wider than its place, so that no seam shows.
          return html`<rect x="${n(LEFT + i * width)}" y="${n(top)}" width="${n(width + 0.4)}" height="${BAR.height}" fill="${colour}"/>`
            .text;
        }).join(''),
      ),
  );
  const ticks = scale === 'diverging' ? [-1, 0, 1] : [0, 0.5, 1];
  const labels = ticks.map((value) => {
    const sign = Math.abs(value) === 1 ? (value > 0 ? '\u2265 ' : '\u2264 ') : '';
    return text(
      `${sign}${short(value * limit)}`,
      LEFT + ((value - from) / (1 - from)) * BAR.width,
      top + 26,
      {
        anchor: 'middle',
        size: 10.5,
      },
    );
  });
  return [bar, ...labels, text(units, LEFT, top + 44, { size: 11 })];
}

function describe(
  { title, values, units, scale }: DrawnMap,
  limit: number,
  rows: readonly { view: View; slices: readonly Slice[] }[],
): string {
  const count = rows.reduce((sum, { slices }) => sum + slices.length, 0);
  const colours = `from ${scale === 'diverging' ? minus(short(-limit)) : '0'} to ${short(limit)}`;
  return `${title}: ${count} slices of ${values.length} voxels, ${listed(rows.map(({ view }) => view))}, left on the left; colours ${colours} (${units}).`;
}

const n = (value: number) => String(Number(value.toFixed(2)));
