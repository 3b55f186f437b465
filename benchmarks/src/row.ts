import { type Cell, markdownTable } from './markdown.ts';
import type { FloatType } from './shape.ts';
import type { Timing } from './statistics.ts';

/** One line of results: an implementation at a shape. Seconds are cold (caches flushed) unless named warm. */
export interface Row {
  readonly op: string;
  readonly shape: Readonly<Record<string, number | string | boolean>>;
  readonly dtype: FloatType;
  readonly impl: string;
  /** Version or build of the implementation. */
  readonly version: string;
  readonly backend: string;
  readonly threads: number;
  readonly cold: Timing;
  readonly warm: Timing;
  /** From the cold median, 10^9 a second; executed operations, so `gram` counts one triangle. */
  readonly gflops: number;
  readonly gbs: number;
  readonly flopsPerByte: number;
  /** Share of the roofline, from the cold median. */
  readonly rooflinePercent: number | undefined;
  readonly rooflineBy: 'flops' | 'bytes' | undefined;
  /** Ours only: sampled error over what the type allows, checked in this run. A failing row has no speed. */
  readonly errorOverTolerance: number | undefined;
  readonly passed: boolean | undefined;
  /** Ours only: median of the fastest peer over our median, interleaved in this run; above 1 we are faster. */
  readonly ratio: number | undefined;
  readonly fastestPeer: string | undefined;
  /** Of the peer's cold times, as that of ours: interquartile range over the median. */
  readonly fastestPeerNoisePercent?: number | undefined;
  /** Uploading the operands, outside the timing; seconds. */
  readonly uploadSeconds: number | undefined;
  readonly about: string;
  readonly device: string;
  readonly commit: string;
  readonly date: string;
  readonly seed: number;
}

/** What the columns of the table mean. */
export const LEGEND = `cold: caches flushed before the call, after one that is not counted; warm: right after it. noise: interquartile range over the
median. ratio: the fastest peer's cold median over ours, above 1 we are faster; =: the difference is within the noise of both.
roofline: share of what the machine's measured limits allow. error / tolerance: sampled entries against float64 in this run, at
most 1 when right.`;

const COLUMNS = [
  'op',
  'shape',
  'dtype',
  'threads',
  'implementation',
  'cold p50 ms',
  'warm p50 ms',
  'cold p95 ms',
  'noise %',
  'GFLOP/s',
  'GB/s',
  'roofline %',
  'ratio to fastest peer',
  'error / tolerance',
];

/** The ratio to the fastest peer; `=` where 1 is as likely: the difference is no larger than the noise of both. */
function ratioOf({ ratio, fastestPeer, cold, fastestPeerNoisePercent = 0 }: Row): string {
  if (ratio === undefined) return '';
  const within = Math.abs(ratio - 1) <= Math.hypot(cold.noisePercent, fastestPeerNoisePercent) / 100;
  return `${within ? '= ' : ''}${ratio.toFixed(2)} (${fastestPeer})`;
}

/** The rows as a Markdown table, ours beside the peers. */
export function markdown(rows: readonly Row[]): string {
  const number = (value: number | undefined, digits: number) =>
    value === undefined || Number.isNaN(value) ? '' : value.toFixed(digits);
  const lines = rows.map((row): Cell[] => {
    const shape = Object.entries(row.shape)
      .map(([name, extent]) => `${name}=${extent}`)
      .join(' ');
    const failed = row.passed === false;
    return [
      row.op,
      shape,
      row.dtype,
      row.threads,
      row.impl,
      failed ? 'wrong result' : number(row.cold.p50 * 1e3, 3),
      failed ? '' : number(row.warm.p50 * 1e3, 3),
      failed ? '' : number(row.cold.p95 * 1e3, 3),
      number(row.cold.noisePercent, 0),
      failed ? '' : number(row.gflops, 1),
      failed ? '' : number(row.gbs, 1),
      failed ? '' : number(row.rooflinePercent, 0),
      ratioOf(row),
      number(row.errorOverTolerance, 3),
    ];
  });
  return markdownTable(COLUMNS, lines);
}
