import { z } from 'zod';
import type { BackendInfo } from '../backend.ts';
import type { Json } from '../data/json.ts';
import { VERSION } from '../version.ts';

/** With what a decoder was fitted: numbers are the same with the same, whatever was done to its bundle since. */
export interface FittedBy {
  /** For people: `CPU, AVX-512`. */
  readonly device: string;
  /** Of fmri2image. */
  readonly version: string;
  /** Arithmetic: `f32`, `refined`, `f64`; several where parts differ. */
  readonly precision?: string | undefined;
}

const schema = z.object({ device: z.string(), version: z.string(), precision: z.string().optional() });

/** A device without what changes no number: how many threads it has, and which of several GPUs of one kind it is. */
export const kindOfDevice = ({ description }: Pick<BackendInfo, 'description'>): string =>
  description.replace(/, (\d+ threads?|GPU \d+ of \d+)$/, '');

/**
 * What a bundle keeps of it in `report.fittedBy`.
 *
 * @param precisions of the parts of a fit; none where it has no choice of them
 */
export function fittedBy(
  { info }: { readonly info: Pick<BackendInfo, 'description'> },
  precisions: readonly string[] = [],
): Json {
  const precision = [...new Set(precisions)].join(', ');
  return { device: kindOfDevice(info), version: VERSION, ...(precision !== '' && { precision }) };
}

/** The same out of the report of a bundle; undefined where it does not say, as older ones. */
export function fittedByOf(report: { readonly [key: string]: Json }): FittedBy | undefined {
  return schema.safeParse(report.fittedBy).data;
}
